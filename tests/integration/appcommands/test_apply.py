"""A manifest goes to staging, through a gate to production, and back again, as any release does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from bot.domain.errors import UserError
from bot.domain.rollout.model import Phase
from bot.engine.appcommands.api import InvalidManifest
from tests.support.actors import DEV, GUEST, ONCALL_DEV
from tests.support.appcommands import HELLO, WAVE, CommandsWorld, command
from tests.support.harness import QUICK
from tests.support.waiting import until


async def test_staging_then_gate_then_production_then_a_restore_from_the_backup(world: CommandsWorld) -> None:
    async with world.open() as slipway:
        await slipway.to_staging()
        assert await world.names(guild=True) == ["hello"]
        assert await world.names() == []

        await slipway.to_production()
        assert await world.names() == ["hello"]
        assert await world.names(guild=True) == [], "staging's copies are taken away"

        world.write([HELLO, WAVE])
        await slipway.to_staging()
        await slipway.to_production()
        assert await world.names() == ["hello", "wave"]

        newest = (await slipway.service.backups(world.guild, "greeter", "production"))[0]
        assert (newest.count, newest.who) == (1, "dev")
        restored = await slipway.restore(newest.id)
        await slipway.reaches(restored.rollout, Phase.SUCCEEDED)
        assert await world.names() == ["hello"]
        assert (await slipway.service.backups(world.guild, "greeter", "production"))[0].count == 2


async def test_a_manifest_that_did_not_succeed_in_staging_is_refused_for_production(
    world: CommandsWorld,
) -> None:
    async with world.open() as slipway:
        await slipway.to_staging()
        world.write([HELLO | {"description": "Says hello!"}])  # one byte more

        with pytest.raises(UserError) as refused:
            await slipway.apply("production")

        assert refused.value.rule == "prerequisite"
        assert await world.names() == []


async def test_nothing_different_says_so_and_costs_one_read(world: CommandsWorld) -> None:
    # The reconciler reads the commands too, so it must not have its turn in between.
    async with world.open(intervals=replace(QUICK, reconcile_s=3600.0)) as slipway:
        await slipway.to_staging()
        before = world.cursor

        applied = await slipway.apply("staging")

        assert applied.rollout is None and "Nothing is different" in applied.sentence
        assert world.calls(since=before) == [
            ("GET", f"/applications/{world.application_id}/guilds/{world.guild}/commands")
        ]


async def test_staging_seen_again_unchanged_lets_production_go_on_after_the_hour(
    world: CommandsWorld,
) -> None:
    async with world.open() as slipway:
        await slipway.to_staging()
        world.clock.forward(2 * 3600)
        with pytest.raises(UserError, match="within the last 1 h"):
            await slipway.apply("production")

        assert (await slipway.apply("staging")).rollout is None

        await slipway.to_production()
        assert await world.names() == ["hello"]


async def test_every_mistake_is_listed_and_nothing_is_called(world: CommandsWorld) -> None:
    world.write([{"name": "Hello World", "description": ""}, {"name": "x" * 33, "description": "y" * 101}])
    async with world.open(working=False) as slipway:
        with pytest.raises(InvalidManifest) as refused:
            await slipway.apply("staging")
        assert [m.path for m in refused.value.mistakes] == [
            "$[0].name",
            "$[0].name",
            "$[0].description",
            "$[1].name",
            "$[1].description",
        ]
        comparison = await slipway.service.diff(world.guild, "greeter", "staging")
        assert comparison.mistakes == refused.value.mistakes
        assert world.calls() == []


async def test_an_emergency_needs_the_role_and_a_reason_and_is_shouted(world: CommandsWorld) -> None:
    async with world.open() as slipway:
        with pytest.raises(UserError, match="on-call"):
            await slipway.apply("production", DEV, emergency=True, reason="it burns")
        with pytest.raises(UserError, match="reason"):
            await slipway.apply("production", ONCALL_DEV, emergency=True)

        applied = await slipway.apply("production", ONCALL_DEV, emergency=True, reason="it burns")
        rollout = await slipway.reaches(applied.rollout, Phase.GATED)

        await slipway.approve(rollout)
        await slipway.reaches(rollout, Phase.SUCCEEDED)

        async def heard() -> Any:
            return world.announcer.heard("emergency")

        (notice,) = await until(heard)
        assert "it burns" in notice.text and notice.mention_roles == ("deployer",)


async def test_who_does_not_own_it_can_neither_apply_nor_restore(world: CommandsWorld) -> None:
    async with world.open() as slipway:
        await slipway.to_staging()
        (backup,) = await slipway.service.backups(world.guild, "greeter")
        for asked in (slipway.apply("staging", GUEST), slipway.restore(backup.id, GUEST)):
            with pytest.raises(UserError) as refused:
                await asked
            assert refused.value.rule == "role"


async def test_a_rename_keeps_the_id_and_with_it_the_permissions(world: CommandsWorld) -> None:
    options = [{"type": 3, "name": f"o{i}", "description": f"Option {i}"} for i in range(4)]
    world.write([command("greet", description="Greets", options=options), HELLO])
    async with world.open() as slipway, world.rest() as call:
        await slipway.to_staging()
        path = f"/guilds/{world.guild}/commands"
        ids = {c["name"]: c["id"] for c in await call("GET", path)}
        world.write([command("welcome", description="Greets", options=options), HELLO])

        before = world.cursor
        applied = await slipway.apply("staging")
        comparison = applied.comparison
        (change,) = comparison.scopes[0].diff.commands
        assert (change.what, change.former_name) == ("renamed", "greet")

        await slipway.reaches(applied.rollout, Phase.SUCCEEDED)
        changes = world.calls("POST", "PUT", "PATCH", "DELETE", since=before)
        renamed = {c["name"]: c["id"] for c in await call("GET", path)}
    assert renamed == {"hello": ids["hello"], "welcome": ids["greet"]}
    # Reads are not counted: the reconciler reads the commands too, whenever its time comes.
    assert changes == [("PATCH", f"/applications/{world.application_id}{path}/{ids['greet']}")]


async def test_commands_that_someone_else_changed_are_noticed_backed_up_and_gone_back_to(
    world: CommandsWorld,
) -> None:
    async with world.open() as slipway:
        await slipway.to_staging()
        await slipway.to_production()
        await world.someone_puts([command("stray")])

        comparison = await slipway.service.diff(world.guild, "greeter", "production")
        assert "changed outside Slipway" in comparison.drift

        rollout = await slipway.to_production()
        assert rollout.stable is not None and rollout.stable.version != rollout.candidate.version
        assert await world.names() == ["hello"]
        newest = (await slipway.service.backups(world.guild, "greeter", "production"))[0]
        assert [c["name"] for c in (await slipway.service.backup(world.guild, newest.id)).commands] == [
            "stray"
        ]


async def test_a_restore_lists_the_permissions_that_people_must_set(world: CommandsWorld) -> None:
    role = world.sandbox.role_id("oncall")
    async with world.open() as slipway, aiohttp.ClientSession() as http:
        await slipway.to_staging()
        url = f"{world.sandbox.url}/sandbox/v1/applications/greeter/commands/hello/permissions"
        body = {"permissions": [{"id": role, "type": 1, "permission": False}]}
        async with http.put(url, json=body) as answer:
            assert answer.status == 200, await answer.text()
        world.write([WAVE])
        await slipway.to_staging()
        newest = (await slipway.service.backups(world.guild, "greeter", "staging"))[0]
        assert newest.overwrites == 1

        restored = await slipway.restore(newest.id)

        await slipway.reaches(restored.rollout, Phase.SUCCEEDED)
        assert await world.names(guild=True) == ["hello"]
        (manual,) = restored.manual
        assert (manual.command, manual.scope.guild_id) == ("hello", world.guild)
        assert f"deny role {role}" in manual.sentence


async def test_status_history_and_detection_tell_what_was_done(world: CommandsWorld) -> None:
    async with world.open() as slipway:
        assert (await slipway.service.detect(world.guild, "greeter")).pending == ("staging", "production")
        await slipway.to_staging()
        assert (await slipway.service.detect(world.guild, "greeter")).pending == ("production",)
        await slipway.to_production(reason="the first ones")

        detection = await slipway.service.detect(world.guild, "greeter")
        (status,) = await slipway.service.status(world.guild)
        history = await slipway.service.history(world.guild, "greeter")

    assert detection.pending == ()
    assert [e.served_version for e in status.environments] == ["empty", detection.wanted.version]
    assert not any(e.drift or e.findings for e in status.environments)
    withdrawn, production, staging = history.lines
    assert (production.environment, production.who, production.reason) == (
        "production",
        "dev",
        "the first ones",
    )
    assert (production.result, production.creates) == ("verified", 1)
    assert withdrawn.to_version == "empty" and staging.environment == "staging"
    assert history.rate == 1.0
