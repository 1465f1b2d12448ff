"""Who is online, by notes: how old they may be, and what an unreachable Discord does to the loop."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from structlog.testing import capture_logs

from bot.engine.watch.presence import FRESH_S, KnownPresences, PresenceLoop
from bot.ports.errors import Unreachable
from tests.fakes.books import FakeBooks
from tests.support.clocks import FrozenClock


class Discord:
    """Shows some users as online. away: it does not answer."""

    def __init__(self) -> None:
        self.shown: dict[int, str] = {}
        self.asked: list[Collection[int]] = []
        self.away = False

    async def __call__(self, user_ids: Collection[int]) -> Mapping[int, str]:
        self.asked.append(user_ids)
        if self.away:
            raise Unreachable("Discord: not connected")
        return self.shown


async def test_a_note_counts_for_a_minute() -> None:
    discord, books, clock = Discord(), FakeBooks(), FrozenClock()
    loop, known = PresenceLoop(discord, books, lambda: [7, 8], clock), KnownPresences(books, clock)
    with pytest.raises(Unreachable, match="whether 7 is online"):
        await known(7)
    discord.shown = {7: "idle"}
    assert not await loop.once()
    clock.forward(FRESH_S)
    assert (await known(7), await known(8)) == ("idle", None)
    clock.forward(0.001)
    with pytest.raises(Unreachable):
        await known(7)
    discord.shown = {7: "offline"}
    await loop.once()
    assert await known(7) == "offline"


async def test_a_discord_that_is_away_stalls_no_loop_and_is_told_once() -> None:
    discord, books, clock = Discord(), FakeBooks(), FrozenClock()
    loop = PresenceLoop(discord, books, lambda: [7], clock)
    discord.away = True
    with capture_logs() as told:
        for _ in range(3):
            assert not await loop.once()
        discord.away = False
        await loop.once()
        discord.away = True
        await loop.once()
    assert [line["event"] for line in told] == ["presences_unknown"] * 2


async def test_without_checks_of_presence_nothing_is_asked() -> None:
    discord = Discord()
    await PresenceLoop(discord, FakeBooks(), list, FrozenClock()).once()
    assert discord.asked == []
