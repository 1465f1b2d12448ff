"""How people are answered: in time, once, in words; whatever the engine and Discord do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest
from discord import app_commands

from bot import logs
from bot.domain.config import GuildConfig
from bot.domain.errors import Refused
from bot.domain.rollout.model import Actor
from bot.ports.errors import Unreachable
from bot.ui.errors import Reply, explain, transient
from bot.ui.interactions import responder as face_module
from bot.ui.interactions.responder import HealthLine, Responder
from tests.fakes.books import FakeLimiter
from tests.support import rollouts
from tests.support.clocks import FrozenClock
from tests.support.waiting import until

pytestmark = pytest.mark.virtual_time


class FakeResponse:
    """`Interaction.response` over a script of failures; takes one first answer, as Discord does."""

    def __init__(self, failures: list[Exception]) -> None:
        self.failures = failures
        self.said: list[str] = []
        self.kind = ""

    def is_done(self) -> bool:
        return bool(self.kind)

    def _answer(self, kind: str) -> None:
        if self.kind:
            raise discord.InteractionResponded(SimpleNamespace(response=self))  # type: ignore[arg-type]
        if self.failures:
            raise self.failures.pop(0)
        self.kind = kind

    async def send_message(
        self, content: str = "", *, view: Any = None, ephemeral: bool, allowed_mentions: Any
    ) -> None:
        assert ephemeral
        assert allowed_mentions.to_dict() == {"parse": []}
        self._answer("message")
        self.said.append(content)

    async def defer(self, *, ephemeral: bool, thinking: bool) -> None:
        assert ephemeral and thinking
        self._answer("deferred")


class FakeInteraction:
    """As much of an interaction as an answer needs."""

    def __init__(self, *failures: Exception, guild_id: int | None = rollouts.GUILD) -> None:
        self.id = 5
        self.created_at = datetime.now(UTC)
        self.guild_id = guild_id
        self.guild = None
        self.user = SimpleNamespace(id=11, display_name="Dev")
        self.response = FakeResponse(list(failures))

    async def edit_original_response(
        self, *, content: str = "", view: Any = None, allowed_mentions: Any
    ) -> None:
        assert self.response.kind == "deferred"
        if self.response.failures:
            raise self.response.failures.pop(0)
        self.response.said.append(content)


def refusal(status: int, code: int) -> discord.HTTPException:
    kind = discord.DiscordServerError if status >= 500 else discord.HTTPException
    return kind(SimpleNamespace(status=status, reason="x"), {"code": code, "message": "m"})  # type: ignore[arg-type]


async def well() -> list[HealthLine]:
    return []


@pytest.fixture
def seen() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def responder(seen: list[tuple[str, str]]) -> Responder:
    engine = rollouts.engine()
    return Responder(
        engine,
        lambda: engine.catalog,
        FakeLimiter(),
        FrozenClock(rollouts.NOW),
        well,
        lambda c, o, _: seen.append((c, o)),
    )


async def fine(guild: GuildConfig, actor: Actor) -> Reply:
    return Reply("done")


async def test_a_quick_answer_is_given_directly(responder: Responder, seen: list[tuple[str, str]]) -> None:
    interaction: Any = FakeInteraction()
    await responder.answer(interaction, "x", fine, category="read")
    assert (interaction.response.kind, interaction.response.said) == ("message", ["done"])
    assert seen == [("x", "ok")]


async def test_log_lines_of_an_answer_have_server_person_and_reference(responder: Responder) -> None:
    found: list[dict[str, Any]] = []

    async def work(guild: GuildConfig, actor: Actor) -> Reply:
        found.append(dict(logs.fields()))
        return Reply("Done.")

    await responder.answer(cast(Any, FakeInteraction()), "deploy", work, category=None)
    assert found == [{"guild_id": rollouts.GUILD, "user_id": 11}]
    assert logs.fields() == {}


def test_answers_and_deferrals_leave_half_a_second_for_the_way_to_discord() -> None:
    assert max(face_module.DEFER_S, face_module.PRESS_S) <= 3.0 - 0.5


async def test_a_slow_answer_is_deferred_and_given(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_module, "DEFER_S", 0.05)

    async def slow(guild: GuildConfig, actor: Actor) -> Reply:
        await asyncio.sleep(0.2)
        return Reply("done")

    interaction: Any = FakeInteraction(refusal(500, 0))
    await responder.answer(interaction, "x", slow, category=None, patience_s=10)
    interaction = FakeInteraction()
    await responder.answer(interaction, "x", slow, category=None, patience_s=10)
    assert (interaction.response.kind, interaction.response.said) == ("deferred", ["done"])


async def test_what_hangs_is_given_up_and_said_to_be_unconfirmed(
    responder: Responder, monkeypatch: pytest.MonkeyPatch, seen: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(face_module, "PRESS_S", 0.05)
    ended = asyncio.Event()

    async def hang(guild: GuildConfig, actor: Actor) -> Reply:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return Reply("never")

    interaction: Any = FakeInteraction()
    await responder.answer(interaction, "x", hang, category=None, patience_s=0.05)
    assert "Not confirmed" in interaction.response.said[0]
    assert ended.is_set()
    assert seen == [("x", "too_slow")]


async def test_a_person_is_told_in_time_even_if_the_work_does_not_stop(
    responder: Responder, monkeypatch: pytest.MonkeyPatch, seen: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(face_module, "DEFER_S", 0.02)
    monkeypatch.setattr(face_module, "PRESS_S", 0.01)
    interaction: Any = FakeInteraction()
    said_before: list[str] = []

    async def said() -> list[str]:
        return interaction.response.said

    async def stubborn(guild: GuildConfig, actor: Actor) -> Reply:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            said_before.extend(await until(said))
        return Reply("done after all")

    await responder.answer(interaction, "x", stubborn, category=None, patience_s=0.3)
    assert interaction.response.kind == "deferred"
    assert interaction.response.said == said_before
    assert "Not confirmed" in said_before[0]
    assert seen == [("x", "too_slow")]
    task = asyncio.current_task()
    assert task is not None and not task.cancelling()


async def test_a_cancelled_answer_is_not_one_that_took_too_long(
    responder: Responder, seen: list[tuple[str, str]]
) -> None:
    interaction: Any = FakeInteraction()
    begun = asyncio.Event()

    async def hang(guild: GuildConfig, actor: Actor) -> Reply:
        begun.set()
        await asyncio.sleep(60)
        return Reply("never")

    answering = asyncio.create_task(responder.answer(interaction, "x", hang, category=None))
    await begun.wait()
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert interaction.response.said == []
    assert seen == []


@pytest.mark.parametrize("failure", [refusal(503, 0), refusal(502, 0), OSError("reset"), TimeoutError()])
async def test_a_lost_answer_is_given_again(responder: Responder, failure: Exception) -> None:
    interaction: Any = FakeInteraction(failure)
    await responder.answer(interaction, "x", fine, category=None)
    assert interaction.response.said == ["done"]


async def test_an_answer_that_discord_already_has_is_delivered(
    responder: Responder, seen: list[tuple[str, str]]
) -> None:
    interaction: Any = FakeInteraction(refusal(503, 0), refusal(400, 40060))
    await responder.answer(interaction, "x", fine, category=None)
    assert seen == [("x", "ok")]


@pytest.mark.parametrize("failure", [refusal(404, 10062), refusal(403, 50013)])
async def test_an_answer_that_discord_will_not_have_ends_quietly(
    responder: Responder, failure: Exception
) -> None:
    interaction: Any = FakeInteraction(failure)
    await responder.answer(interaction, "x", fine, category=None)
    assert interaction.response.said == []


async def test_other_servers_are_refused_before_anything_is_done(responder: Responder) -> None:
    interaction: Any = FakeInteraction(guild_id=1)

    async def never(guild: GuildConfig, actor: Actor) -> Reply:
        raise AssertionError("should not be reached")

    await responder.answer(interaction, "x", never, category="deploy")
    assert "does not serve this server" in interaction.response.said[0]


async def test_a_counter_that_is_away_stops_no_one(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AwayLimiter:
        async def hit(self, category: str, person: int) -> float:
            raise Unreachable("redis")

    responder.limiter = AwayLimiter()
    interaction: Any = FakeInteraction()
    await responder.answer(interaction, "x", fine, category="deploy")
    assert interaction.response.said == ["done"]


async def test_suggestions_come_in_time_or_not_at_all(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_module, "SUGGEST_S", 0.05)

    async def many(guild: GuildConfig) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=str(n), value=str(n)) for n in range(40)]

    async def slow(guild: GuildConfig) -> list[app_commands.Choice[str]]:
        await asyncio.sleep(5)
        return []

    async def broken(guild: GuildConfig) -> list[app_commands.Choice[str]]:
        raise KeyError("bug")

    interaction: Any = FakeInteraction()
    assert len(await responder.suggest(interaction, "x", many)) == 25
    assert await responder.suggest(interaction, "x", slow) == []
    assert await responder.suggest(interaction, "x", broken) == []


def test_every_kind_of_error_has_its_words() -> None:
    assert explain(Refused("No.", rule="r", remedy="Yes."), command="x").content == "✋ No. Yes."
    assert "nothing changed" in explain(Unreachable("secret dsn"), command="x").content
    assert "secret dsn" not in explain(Unreachable("secret dsn"), command="x").content
    stale = app_commands.CommandNotFound("old", [])
    assert "just changed" in explain(stale, command="x").content
    wrapped = app_commands.CommandInvokeError(SimpleNamespace(name="x"), ValueError("secret"))  # type: ignore[arg-type]
    said = explain(wrapped, command="x")
    assert said.outcome == "error" and "secret" not in said.content
    assert len(explain(Refused("x" * 9000, rule="r"), command="x").content) <= 2000


def test_what_may_be_tried_again_is_told_apart() -> None:
    assert transient(refusal(503, 0)) and transient(refusal(429, 0)) and transient(OSError())
    assert transient(RuntimeError("Session is closed"))
    assert (
        not transient(refusal(400, 50035))
        and not transient(RuntimeError("bug"))
        and not transient(KeyError())
    )
