"""What goes wrong around an apply: crashes at every point, Discord's own faults, other people."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.adapters.targets.appcommands.changes import Probe
from bot.domain.appcommands.applications import Scope
from bot.domain.errors import UserError
from bot.domain.rollout.model import Phase, Rollout
from bot.domain.secret import Secret
from bot.ports.notifications import Announcement
from tests.support.actors import DEV, DEV2
from tests.support.appcommands import HELLO, WAVE, CommandsWorld, command
from tests.support.waiting import PATIENCE_S, until

POINTS = ("backed_up", "noted", "called", "verified")


def dies_at(point: str, reached: asyncio.Event) -> Probe:
    async def probe(at: str) -> None:
        if at == point:
            reached.set()
            await asyncio.Event().wait()  # nothing more happens until the process is gone

    return probe


@pytest.mark.parametrize("point", POINTS)
async def test_a_process_that_dies_between_two_steps_leaves_nothing_undone_and_nothing_doubled(
    world: CommandsWorld, point: str
) -> None:
    world.write([HELLO])
    async with world.open() as slipway:
        await slipway.to_staging()
    world.write([command(f"c{i}") for i in range(5)])
    reached = asyncio.Event()
    async with world.open(probe=dies_at(point, reached)) as slipway:
        rollout = (await slipway.apply("staging")).rollout
        await asyncio.wait_for(reached.wait(), PATIENCE_S)

    async with world.open() as slipway:
        assert isinstance(rollout, Rollout)
        await slipway.reaches(rollout, Phase.SUCCEEDED)
        backups = await slipway.service.backups(world.guild, "greeter", "staging")
        history = await slipway.service.history(world.guild, "greeter")
        (status,) = await slipway.service.status(world.guild)

    assert await world.names(guild=True) == [f"c{i}" for i in range(5)]
    assert [b.count for b in backups] == [1, 0], "what was there before is kept, once"
    assert [line.result for line in history.lines][:2] == ["verified", "verified"]
    assert status.environments[0].created_today == 6
    spent = world.sandbox.core.state.applications[world.application_id].creates
    assert len(spent[str(world.guild)]) == 6, "Discord counted each command once as well"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "429", "retry_after": 0.2, "count": 2},
        {"kind": "429", "retry_after": 0.2, "count": 1, "scope": "global"},
        {"kind": "500_after_apply", "count": 1},
        {"kind": "503", "count": 2},
        {"kind": "reset_after_apply", "count": 1},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('scope', 'route')}",
)
async def test_discords_own_faults_on_the_bulk_route_are_waited_out(
    world: CommandsWorld, fault: dict[str, str]
) -> None:
    world.write([command(f"c{i}") for i in range(5)])
    async with world.open() as slipway:
        await world.fault(method="PUT", **fault)

        await slipway.to_staging()

        (status,) = await slipway.service.status(world.guild)
    assert len(await world.names(guild=True)) == 5
    assert status.environments[0].created_today == 5
    spent = world.sandbox.core.state.applications[world.application_id].creates
    assert len(spent[str(world.guild)]) == 5


async def test_an_edit_by_someone_else_during_the_apply_is_backed_up_and_replaced(
    world: CommandsWorld,
) -> None:
    interfered = False

    async def probe(at: str) -> None:
        nonlocal interfered
        if at == "called" and not interfered:
            interfered = True
            await world.someone_puts([command("stray")], guild=True)

    async with world.open(probe=probe) as slipway:
        await slipway.to_staging()
        backups = await slipway.service.backups(world.guild, "greeter", "staging")
        stray = await slipway.service.backup(world.guild, backups[0].id)

    assert await world.names(guild=True) == ["hello"]
    assert [c["name"] for c in stray.commands] == ["stray"]


async def test_someone_who_never_stops_editing_is_named_and_the_rollout_does_not_claim_success(
    world: CommandsWorld,
) -> None:
    async def probe(at: str) -> None:
        if at == "called":
            await world.someone_puts([command("stray")], guild=True)

    async with world.open(probe=probe) as slipway:
        rollout = (await slipway.apply("staging")).rollout
        ended = await slipway.reaches(rollout, Phase.HALTED, Phase.ROLLED_BACK)
        said = [t.why for t in await slipway.store.history.transitions(ended.id)]
    assert any("another program may be changing them" in why for why in said)


async def test_two_people_who_apply_at_once_make_one_rollout(world: CommandsWorld) -> None:
    async with world.open() as slipway:
        done = await asyncio.gather(
            slipway.apply("staging", DEV), slipway.apply("staging", DEV2), return_exceptions=True
        )
        begun = [
            one.rollout for one in done if not isinstance(one, BaseException) and one.rollout is not None
        ]
        refused = [one.rule for one in done if isinstance(one, UserError)]
        assert len(begun) == 1
        # The second one finds the other's rollout, or what it brought; or it compares after it, and nothing differs.
        assert refused in (["lane_busy"], ["already_running"], [])
        await slipway.reaches(begun[0], Phase.SUCCEEDED)
    assert world.calls("PUT", "POST") == [
        ("PUT", f"/applications/{world.application_id}/guilds/{world.guild}/commands")
    ]


async def test_the_token_of_another_application_is_refused_with_a_sentence(world: CommandsWorld) -> None:
    greeter = world.catalog.applications["greeter"]
    other = replace(greeter, token=Secret(world.sandbox.token("slipway")))
    world.catalog = replace(world.catalog, applications={"greeter": other})
    async with world.open(working=False) as slipway:
        with pytest.raises(UserError, match="does not belong to application"):
            await slipway.apply("staging")
    assert world.calls("PUT", "POST", "PATCH", "DELETE") == []


@pytest.mark.parametrize("token", ["", "nonsense"])
async def test_a_missing_or_dead_token_is_a_sentence_that_does_not_show_it(
    world: CommandsWorld, token: str
) -> None:
    greeter = replace(world.catalog.applications["greeter"], token=Secret(token))
    world.catalog = replace(world.catalog, applications={"greeter": greeter})
    async with world.open(working=False) as slipway:
        with pytest.raises(UserError) as refused:
            await slipway.apply("staging")
    assert "token" in str(refused.value) and "nonsense" not in str(refused.value)


async def test_the_days_budget_is_counted_from_our_own_history_and_explained(world: CommandsWorld) -> None:
    async with world.open() as slipway:
        for i in range(2):
            world.write([command(f"c{i}x{n}") for n in range(100)])
            await slipway.to_staging()
        world.write([command("one-more")])
        before = world.cursor

        with pytest.raises(UserError, match="200 were created in the last 24 hours"):
            await slipway.apply("staging")

    assert world.calls("PUT", "POST", "PATCH", since=before) == []


async def test_30034_is_explained_and_what_was_there_stays(world: CommandsWorld) -> None:
    """Someone else spent the budget: Discord says so, and the rollout goes back."""
    async with world.open() as slipway:
        await slipway.to_staging()
        spent = world.sandbox.core.state.applications[world.application_id].creates
        spent[str(world.guild)] = spent[str(world.guild)] * 200
        world.write([HELLO, WAVE])

        rollout = await slipway.reaches((await slipway.apply("staging")).rollout, Phase.ROLLED_BACK)

        history = await slipway.service.history(world.guild, "greeter")
    assert "30034" in rollout.outcome and "stops counting ⟨2" in rollout.outcome
    assert history.lines[0].result == "refused"
    assert await world.names(guild=True) == ["hello"]


async def test_a_slow_apply_that_was_overtaken_changes_nothing_any_more(world: CommandsWorld) -> None:
    """An older process still at work, and a newer generation by another one."""
    reached, go = asyncio.Event(), asyncio.Event()

    async def slow(at: str) -> None:
        if at == "noted":
            reached.set()
            await go.wait()

    world.write([command(f"c{i}") for i in range(5)])
    async with world.open(probe=slow) as old:
        rollout = (await old.apply("staging")).rollout
        assert rollout is not None
        await asyncio.wait_for(reached.wait(), PATIENCE_S)
        async with world.open(working=False) as new:
            lane = world.catalog.applications["greeter"].lanes[0]
            observed = await new.target.abort(lane, "dev", "stop it")
            assert observed.abort is not None and observed.abort.why == "stop it"
            go.set()
            await until(lambda: ended(old, rollout))
    assert await world.names(guild=True) == []


async def ended(slipway: object, rollout: Rollout) -> bool:
    found = await slipway.now(rollout)  # type: ignore[attr-defined]
    return bool(found.phase.final or found.phase is Phase.HALTED)


async def test_the_watch_tells_drift_and_count_once_and_that_it_is_over(world: CommandsWorld) -> None:
    async with world.open() as slipway:
        await slipway.to_staging()
        await slipway.to_production()
        greeter = world.catalog.applications["greeter"]
        await slipway.watch.look(greeter, "production", Scope())
        assert not world.announcer.alerts

        await world.someone_puts([command("stray"), HELLO])
        for _ in range(2):
            await slipway.watch.look(greeter, "production", Scope())
        (status,) = await slipway.service.status(world.guild)
        told = findings(world)
        assert sorted(f.what for f in status.environments[1].findings) == ["count", "drift"]
        assert len(told) == 2 and all(a.mention_roles == ("deployer",) for a in told)

        await world.someone_puts([HELLO])
        await slipway.watch.look(greeter, "production", Scope())
        (status,) = await slipway.service.status(world.guild)
    assert not status.environments[1].findings
    assert [a.over for a in findings(world)].count(True) == 2


def findings(world: CommandsWorld) -> list[Announcement]:
    """What the watch told. The reconciler has a word for the lane as well, if its round comes in between."""
    return [a for a in world.announcer.alerts.values() if "in the desired state" not in a.title]


async def test_the_watch_notices_that_discord_is_slow(world: CommandsWorld) -> None:
    async with world.open() as slipway:
        await slipway.to_staging()
    # From here on alone: a busy machine needs longer for an answer than Discord.
    world.configure(answer="200ms")
    async with world.open() as slipway:
        await world.fault("slow", "GET", delay_ms=600)

        await slipway.watch.look(world.catalog.applications["greeter"], "production", Scope())

        (alert,) = world.announcer.alerts.values()
    assert "200 ms" in alert.text or "0.2 s" in alert.text
