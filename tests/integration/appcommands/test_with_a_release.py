"""A bot and its slash commands go out together, and come back together."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from bot.adapters.runtimes.process.spec import ProcessSpecSettings
from bot.adapters.sources.directory import DirectorySettings
from bot.adapters.sources.manifests.artifact import ArtifactSettings
from bot.domain.config import LaneConfig, ReleasesConfig
from bot.domain.judge import judge
from bot.domain.records import AuditEntry, LaneRow
from bot.domain.rollout.model import Action, Desired, Lane, Phase, Plan, Policy, Release, Rollout
from bot.domain.rollout.steps import Gate, RestoreCommands, RunSync, Shift, SyncCommands
from bot.engine.api import ActRequest, DeployRequest, RollbackRequest
from tests.support.actors import DEV, LEAD
from tests.support.appcommands import HELLO, HERALD, WAVE, CommandsSlipway, CommandsWorld, command
from tests.support.waiting import PATIENCE_S

VERSIONS = {"1.0.0": [HELLO, command("old")], "1.1.0": [HELLO, WAVE]}
GATE = Gate("production", "release-manager")
PLAN = Plan(
    "together",
    (GATE, SyncCommands("greeter", "additions", 10.0), Shift(100, 5.0), SyncCommands("greeter", "all", 10.0)),
)


@pytest.fixture
async def together(world: CommandsWorld) -> CommandsWorld:
    """Herald 1.0.0 runs, its commands are there, and those of 1.1.0 were tried in staging."""
    for version, commands in VERSIONS.items():
        (world.folder / "releases" / version).mkdir(parents=True)
        (world.folder / "releases" / version / "commands.json").write_text(json.dumps(commands))
    policy = Policy(
        judge=judge.JudgePolicy(), exclusive=True, rollback_roles=("deployer",), operate_roles=("deployer",)
    )
    lane = LaneConfig(HERALD, (world.guild,), PLAN, policy, "local", (), ("deployer",), ("deployer",))
    source = DirectorySettings[ProcessSpecSettings](
        kind="directory", path=world.folder / "releases", spec=ProcessSpecSettings(command=("x",))
    )
    artifact = ArtifactSettings(kind="artifact", service="herald", path="commands.json", folder=world.folder)
    greeter = replace(world.catalog.applications["greeter"], source=artifact)
    world.catalog = replace(
        world.catalog,
        lanes={**world.catalog.lanes, HERALD: lane},
        releases={**world.catalog.releases, "herald": ReleasesConfig(source)},
        applications={"greeter": greeter},
    )
    await world.someone_puts(VERSIONS["1.0.0"])
    async with world.open(working=False) as slipway:
        stable = await slipway.lanes.release(HERALD, "1.0.0")
    await world.target.apply(HERALD, Desired(1, stable))
    await world.target.observe(HERALD)
    async with world.open() as slipway:
        await slipway.to_staging()
    return world


async def deploy(
    world: CommandsWorld, slipway: CommandsSlipway, environment: str = "production", *, approved: bool = True
) -> Rollout:
    begun = await slipway.engine.deploy(DeployRequest(world.guild, DEV, "herald", "1.1.0", environment))
    assert isinstance(begun, Rollout)
    if approved and begun.phase is Phase.GATED:
        await slipway.approve(begun)
    return begun


def changed(world: CommandsWorld, **lane: Any) -> None:
    """Herald's lane in the catalog from now on."""
    config = replace(world.catalog.lanes[HERALD], **lane)
    world.catalog = replace(world.catalog, lanes={**world.catalog.lanes, HERALD: config})


async def test_new_commands_come_before_the_release_and_old_ones_go_after_it(together: CommandsWorld) -> None:
    at_shift: list[list[str]] = []
    apply = together.target.apply

    async def watched(lane: object, desired: Desired) -> None:
        if desired.candidate is not None:
            at_shift.append(await together.names())
        await apply(HERALD, desired)

    together.target.apply = watched  # type: ignore[method-assign,assignment]
    async with together.open() as slipway:
        await slipway.reaches(await deploy(together, slipway), Phase.SUCCEEDED)
        assert at_shift == [["hello", "old", "wave"]]
        assert await together.names() == ["hello", "wave"]

        back = await slipway.engine.roll_back(RollbackRequest(together.guild, DEV, "herald", "production"))
        await slipway.reaches(back, Phase.SUCCEEDED)
        assert await together.names() == ["hello", "old"], "a return takes its commands along"


async def test_a_rollback_brings_the_former_commands_back(together: CommandsWorld) -> None:
    changed(together, plan=Plan("slow", (*PLAN.steps[:2], Shift(100, 60.0))))
    async with together.open() as slipway:
        candidate: Release = await slipway.lanes.release(HERALD, "1.1.0")
        together.target.dies.add(candidate.digest)

        rollout = await slipway.reaches(await deploy(together, slipway), Phase.ROLLED_BACK)

        assert "crashed" in rollout.outcome

        async with asyncio.timeout(PATIENCE_S):
            while await together.names() != ["hello", "old"]:
                await asyncio.sleep(0.05)
        kept = [b.count for b in await slipway.service.backups(together.guild, "greeter", "production")]
    assert kept == [3, 2], "what each change replaced is there"


async def test_a_manifest_with_mistakes_ends_the_rollout_before_anything_is_touched(
    together: CommandsWorld,
) -> None:
    path = together.folder / "releases" / "1.1.0" / "commands.json"
    path.write_text(json.dumps([{"name": "BAD NAME", "description": ""}]))
    before = together.cursor
    async with together.open() as slipway:
        rollout = await slipway.reaches(await deploy(together, slipway), Phase.FAILED)
    assert "$[0].description: is empty" in rollout.outcome
    assert together.calls("PUT", "POST", "PATCH", "DELETE", since=before) == []


async def test_a_cancel_between_additions_and_the_shift_takes_the_additions_back(
    together: CommandsWorld,
) -> None:
    async with together.open() as slipway:
        rollout = await deploy(together, slipway)
        try:
            await slipway.engine.act(ActRequest(rollout.id, Action.ROLL_BACK, DEV, together.guild))
        except Exception as error:  # it may have been faster than the press
            assert "has ended" in str(error)
        ended = await slipway.reaches(rollout, Phase.CANCELLED, Phase.ROLLED_BACK, Phase.SUCCEEDED)
        wanted = ["hello", "wave"] if ended.phase is Phase.SUCCEEDED else ["hello", "old"]
        async with asyncio.timeout(PATIENCE_S):
            while await together.names() != wanted:
                await asyncio.sleep(0.05)


async def test_a_sync_that_wakes_up_after_the_rollback_brings_nothing(together: CommandsWorld) -> None:
    """Another process was about to apply the candidate's commands when the rollout was rolled back."""
    async with together.open(working=False) as slipway:
        release = await slipway.lanes.release(HERALD, "1.1.0")
        sync, id_ = slipway.sync_step, (await deploy(together, slipway)).id
        history = slipway.records.history
        take_over, late = history.took_over, []

        async def overtaken(row: LaneRow, base: int, entry: AuditEntry) -> bool:
            history.took_over = take_over  # type: ignore[method-assign]
            await sync.restore(id_, RestoreCommands(HERALD, "greeter"))
            late.append(row.generation)
            return await take_over(row, base, entry)

        assert await sync.sync(id_, RunSync(HERALD, 0, release, "greeter", "additions", 10.0)) == []
        assert await together.names() == ["hello", "old", "wave"]
        history.took_over = overtaken  # type: ignore[method-assign]
        said = await sync.sync(id_, RunSync(HERALD, 2, release, "greeter", "all", 10.0))
        assert late
        assert "changed meanwhile" in said[0]
        assert await together.names() == ["hello", "old"], "what was there before the rollout"
        # And one that begins after the rollback finds that it is too late.
        assert await sync.sync(id_, RunSync(HERALD, 2, release, "greeter", "all", 10.0)) == [
            "the rollout is on its way back"
        ]


async def test_a_restore_goes_above_whatever_discord_was_told_meanwhile(together: CommandsWorld) -> None:
    async with together.open(working=False) as slipway:
        release = await slipway.lanes.release(HERALD, "1.1.0")
        sync, id_ = slipway.sync_step, (await deploy(together, slipway)).id
        assert await sync.sync(id_, RunSync(HERALD, 0, release, "greeter", "all", 10.0)) == []
        lane = together.catalog.applications["greeter"].lane("production")
        accepted = await slipway.records.states.accepted(lane)
        assert accepted is not None
        ahead = Desired(accepted.generation + 40, Release(lane.service, "x", accepted.stable))
        await slipway.target.apply(lane, ahead)
        await sync.restore(id_, RestoreCommands(HERALD, "greeter"))
        assert await together.names() == ["hello", "old"]


# ---- what the application itself asks for ------------------------------------------------------------------


async def test_a_lock_of_the_commands_holds_for_a_release_that_brings_some(together: CommandsWorld) -> None:
    commands = together.catalog.applications["greeter"].lane("production")
    async with together.open() as slipway:
        await slipway.engine.lock(together.guild, DEV, commands, "the fair is on", None)
        rollout = await slipway.reaches(await deploy(together, slipway), Phase.FAILED)
        assert "greeter-commands/production was locked by dev" in rollout.outcome
        assert "the fair is on" in rollout.outcome
        assert await together.names() == ["hello", "old"]


async def test_a_release_brings_no_commands_that_were_not_tried_in_staging(together: CommandsWorld) -> None:
    path = together.folder / "releases" / "1.1.0" / "commands.json"
    path.write_text(json.dumps([HELLO, WAVE, command("untried")]))
    async with together.open() as slipway:
        rollout = await slipway.reaches(await deploy(together, slipway), Phase.FAILED)
        assert (
            "has not succeeded in greeter-commands/staging within 1 h before this rollout" in rollout.outcome
        )
        assert await together.names() == ["hello", "old"]


async def test_a_success_in_staging_that_is_too_old_does_not_count(together: CommandsWorld) -> None:
    together.clock.forward(3700.0)
    async with together.open() as slipway:
        rollout = await slipway.reaches(await deploy(together, slipway), Phase.FAILED)
        assert "has not succeeded in greeter-commands/staging" in rollout.outcome


@pytest.mark.parametrize(
    "gate", [Gate("mild", "deployer"), Gate("own", "release-manager", allow_requester=True)]
)
async def test_the_gate_of_the_commands_is_asked_for_whatever_the_plans_own_gate_is(
    together: CommandsWorld, gate: Gate
) -> None:
    changed(together, plan=Plan("mild", (gate, *PLAN.steps[1:])))
    async with together.open() as slipway:
        rollout = await deploy(together, slipway, approved=False)
        both = replace(DEV, roles=DEV.roles | LEAD.roles)
        by = both if gate.allow_requester else replace(LEAD, roles=LEAD.roles | DEV.roles)
        await slipway.approve(rollout, by)
        ended = await slipway.reaches(rollout, Phase.FAILED)
        assert "the commands of greeter need 1 approval from release-manager" in ended.outcome
        assert await together.names() == ["hello", "old"]


async def test_where_no_one_is_asked_the_commands_of_staging_are_meant(together: CommandsWorld) -> None:
    """Whatever the environment is called: it is the gate that makes it production."""
    changed(together, plan=Plan("quick", PLAN.steps[1:]))
    async with together.open() as slipway:
        await slipway.reaches(await deploy(together, slipway), Phase.SUCCEEDED)
        assert await together.names() == ["hello", "old"]
        assert await together.names(guild=True) == ["hello", "wave"]


async def test_commands_that_came_to_staging_with_a_release_count_as_tried(together: CommandsWorld) -> None:
    path = together.folder / "releases" / "1.1.0" / "commands.json"
    path.write_text(json.dumps([HELLO, WAVE, command("tried")]))
    usual = together.catalog.lanes[HERALD]
    staging = replace(usual, lane=Lane("herald", "staging"), plan=Plan("quick", PLAN.steps[1:]))
    together.catalog = replace(together.catalog, lanes={**together.catalog.lanes, staging.lane: staging})
    async with together.open() as slipway:
        await slipway.reaches(await deploy(together, slipway, "staging"), Phase.SUCCEEDED)
        assert await together.names(guild=True) == ["hello", "tried", "wave"]
        await slipway.reaches(await deploy(together, slipway), Phase.SUCCEEDED)
        assert await together.names() == ["hello", "tried", "wave"]
