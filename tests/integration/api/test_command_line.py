"""`slipway deploy --wait` and the others as programs: what they print, and the exit codes that pipelines go by."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.config import Repository
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.model import Action, Phase
from tests.support.actors import DEV, GUEST, LEAD, ONCALL
from tests.support.api import Api, serving
from tests.support.catalogs import LONG, PRODUCTION, V140, V150, catalog
from tests.support.cli import Cli
from tests.support.harness import World
from tests.support.waiting import until

STAGING = ("checkout", "staging", "1.5.0")
PRODUCTION_150 = ("checkout", "production", "1.5.0")


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with serving(dsn) as found:
        yield found


async def cli_of(api: Api, folder: Path, actor: object = DEV) -> Cli:
    secret = await api.token("cli", actor)  # type: ignore[arg-type]
    return Cli(folder, SLIPWAY_URL=api.base, SLIPWAY_TOKEN=secret)


async def test_a_deploy_that_succeeds_shows_its_progress_and_exits_with_0(api: Api, tmp_path: Path) -> None:
    cli = await cli_of(api, tmp_path)
    said = await cli("deploy", *STAGING, "--reason", "a merge", "--wait")
    assert said.code == 0, said.err
    lines = said.err.splitlines()
    assert lines[0] == "· rollout 1: checkout 1.4.0 → 1.5.0 in staging"
    assert (
        lines[1] == "· verifying: Starting 1.5.0 without traffic to check it."
    )  # later ones may pass unseen
    assert all(line.startswith("· ") for line in lines)
    assert said.out.startswith("✓ rollout 1: checkout 1.4.0 → 1.5.0 in staging: succeeded: ")
    assert len(said.out.splitlines()) == 1


async def test_json_is_the_only_thing_on_standard_output(api: Api, tmp_path: Path) -> None:
    cli = await cli_of(api, tmp_path)
    said = await cli("deploy", *STAGING, "--wait", "--json", "--key", "run-7")
    found = json.loads(said.out)
    assert (said.code, found["phase"], found["to_version"]) == (0, "succeeded", "1.5.0")
    again = await cli("deploy", *STAGING, "--wait", "--json", "--key", "run-7")
    assert (again.code, json.loads(again.out)["id"]) == (0, found["id"])
    history = json.loads((await cli("history", "checkout", "--json")).out)
    assert [each["id"] for each in history["rollouts"]] == [found["id"]]
    assert (await cli("history")).out.startswith("#1  checkout 1.4.0 → 1.5.0 in staging  succeeded  ")


async def test_why_opens_the_verdict_of_the_newest_rollout(api: Api, tmp_path: Path) -> None:
    cli = await cli_of(api, tmp_path)
    none = await cli("why", "checkout", "staging")
    assert (none.code, none.err) == (
        1,
        "There was no rollout of `checkout/staging` yet. `/history` lists the rollouts.\n",
    )
    assert (await cli("deploy", *STAGING, "--wait")).code == 0
    said = await cli("why", "checkout", "staging")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "#1  checkout 1.5.0 → staging  succeeded"
    assert lines[1].startswith("PASS: errors: 0% of requests failed (0 of ")
    assert "What would have changed it:" in lines
    found = json.loads((await cli("why", "checkout", "staging", "--rollout", "1", "--json")).out)
    assert (found["id"], found["verdict"]) == (1, "PASS")
    other = await cli("why", "checkout", "production", "--rollout", "1")
    assert (other.code, other.err[:29]) == (1, "There is no rollout #1 on thi")


async def test_a_refusal_exits_with_6_and_says_why(api: Api, tmp_path: Path) -> None:
    cli = await cli_of(api, tmp_path, GUEST)
    said = await cli("deploy", *STAGING, "--wait")
    assert (said.code, said.out) == (6, "")
    assert said.err.startswith("You need the role `deployer` to deploy here.")
    said = await cli("deploy", "checkout", "staging", "9.9", "--json")
    assert (said.code, json.loads(said.out)["rule"]) == (6, "unknown_version")
    said = await cli("history", SLIPWAY_TOKEN="slipway_wrong")
    assert (said.code, said.err) == (6, "There is no such token.\n")


async def test_a_dry_run_lists_what_blocks_a_deploy(api: Api, tmp_path: Path) -> None:
    cli = await cli_of(api, tmp_path)
    assert (await cli("deploy", *STAGING, "--dry-run")).code == 0
    said = await cli("deploy", "checkout", "staging", "1.4.0", "--dry-run")
    assert said.code == 6
    assert "  1. " in said.out and "✗ checkout 1.4.0 already runs in staging.\n" in said.out
    assert "✓ checkout/staging is not locked.\n" in said.out


class Compared:
    """A repository in which every comparison has the same two commits."""

    async def look(self, repository: Repository, known: Changes) -> Changes:
        return replace(known, added=2, removed=0, authors=("ada",))


async def test_a_dry_run_shows_the_commits_that_the_deploy_would_bring(dsn: str, tmp_path: Path) -> None:
    world = World(dsn, catalog(repository=Repository("acme/checkout")))
    serves = replace(V140, commit="a" * 40)
    world.releases.known = {"checkout": [replace(V150, commit="b" * 40), serves]}
    async with serving(dsn, world, serves=serves, changes=Compared()) as api:
        cli = await cli_of(api, tmp_path)
        said = await cli("deploy", *PRODUCTION_150, "--dry-run")
        link = f"https://github.com/acme/checkout/compare/{'a' * 40}...{'b' * 40}"
        assert said.out.startswith(f"· 2 commits by ada.\n· {link}\n  1. "), said.out
        found = json.loads((await cli("deploy", *PRODUCTION_150, "--dry-run", "--json")).out)
        assert (found["changes"]["added"], found["changes"]["link"]) == (2, link)
        assert json.loads((await cli("history", "--json")).out)["rollouts"] == []


async def test_a_rollout_that_waits_for_people_ends_the_waiting_with_11_and_an_approval_with_0(
    api: Api, tmp_path: Path
) -> None:
    cli = await cli_of(api, tmp_path)
    said = await cli("deploy", *PRODUCTION_150, "--wait", "--timeout", "3")
    assert said.code == 11
    # Three seconds may be over before the gate is reached.
    assert said.out.startswith("… rollout 1: checkout 1.4.0 → 1.5.0 in production: ")
    await api.slipway.reaches(await api.slipway.engine.rollout(1, 42), Phase.GATED)
    said = await cli("wait", "1", "--timeout", "1")
    assert said.code == 11
    assert said.out.startswith("… rollout 1: checkout 1.4.0 → 1.5.0 in production: gated: ")
    secret = await api.token("lead", LEAD)
    said = await cli("approve", "1", "--wait", SLIPWAY_TOKEN=secret)
    assert said.code == 0, said.err
    assert "· approving checkout 1.4.0 → 1.5.0 in production, requested by dev (token cli)" in said.err
    assert said.out.startswith("✓ rollout 1: ")


async def test_a_rollback_while_waiting_ends_the_deploy_with_7_and_the_rollback_with_0(
    dsn: str, tmp_path: Path
) -> None:
    async with serving(dsn, World(dsn, catalog(LONG))) as api:
        cli = await cli_of(api, tmp_path)
        deploying = asyncio.create_task(cli("deploy", *PRODUCTION_150, "--wait"))

        async def begun() -> bool:
            return bool((await api.slipway.engine.history(42))[:1])

        await until(begun)
        rollout = await api.slipway.engine.rollout(1, 42)
        await api.slipway.reaches(rollout, Phase.SOAKING)
        secret = await api.token("oncall", ONCALL)
        back = await cli("rollback", "checkout", "production", "--wait", SLIPWAY_TOKEN=secret)
        assert back.code == 0, back.err
        assert back.out.startswith("✓ rollout 1: checkout 1.4.0 → 1.5.0 in production: rolled back: ")
        said = await deploying
        assert said.code == 7, said.err
        assert said.out.startswith("✗ rollout 1: ")


async def test_releases_are_listed_with_age_subject_and_mark(api: Api, tmp_path: Path) -> None:
    made_at = datetime.now(UTC) - timedelta(hours=5, minutes=1)
    newest = replace(
        V150, commit="08fa6c4" * 5, made_at=made_at, subject="Round prices", irreversible="drops a table"
    )
    api.slipway.world.releases.known = {"checkout": [newest, V140]}
    cli = await cli_of(api, tmp_path)
    said = await cli("releases", "checkout", "staging")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == ["1.5.0  5 h old  08fa6c408f  irreversible  Round prices", "1.4.0"]
    said = await cli("releases", "checkout", "staging", "--limit", "1", "--json")
    (shown,) = json.loads(said.out)["releases"]
    assert (shown["version"], shown["subject"]) == ("1.5.0", "Round prices")
    assert datetime.fromisoformat(shown["made_at"]) == made_at
    assert (await cli("releases", "nothing", "staging")).code == 6


async def test_an_irreversible_release_is_named_before_approval_and_goes_back_when_confirmed(
    dsn: str, tmp_path: Path
) -> None:
    world = World(dsn, catalog())
    world.releases.known = {"checkout": [replace(V150, irreversible="drops the table coupons"), V140]}
    async with serving(dsn, world) as api:
        cli = await cli_of(api, tmp_path)
        await cli("deploy", *PRODUCTION_150)
        rollout = await api.slipway.engine.rollout(1, 42)
        await api.slipway.reaches(rollout, Phase.GATED)
        secret = await api.token("lead", LEAD)
        said = await cli("approve", "1", "--wait", SLIPWAY_TOKEN=secret)
        assert "! 1.5.0 is irreversible: drops the table coupons" in said.err
        assert said.code == 0, said.err
        secret = await api.token("oncall", ONCALL)
        refused = await cli("rollback", "checkout", "production", SLIPWAY_TOKEN=secret)
        assert refused.code == 6
        assert "1.5.0 is irreversible: drops the table coupons. 1.4.0 may not work" in refused.err
        assert "--confirm" in refused.err
        back = await cli("rollback", "checkout", "production", "--confirm", SLIPWAY_TOKEN=secret)
        assert back.code == 0, back.err
        again = await api.slipway.engine.rollout(2, 42)
        assert again.undone == "1.5.0 is irreversible: drops the table coupons."
        began = (await api.slipway.audit("began"))[-1]
        assert "although 1.5.0 is irreversible." in began["why"]
        assert json.loads(began["details"])["confirmed_irreversible"] == "drops the table coupons"


async def test_a_rollout_that_fails_exits_with_1(api: Api, tmp_path: Path) -> None:
    cli = await cli_of(api, tmp_path)
    api.slipway.world.checker.findings["/healthz"] = "GET /healthz answered 500"
    said = await cli("deploy", *STAGING, "--wait")
    assert said.code == 1, said.out
    assert said.out.startswith("✗ rollout 1: checkout 1.4.0 → 1.5.0 in staging: failed: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_wait_leaves_the_rollout_running_and_says_so(
    dsn: str, tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(dsn, World(dsn, catalog(LONG))) as api:
        cli = await cli_of(api, tmp_path)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "deploy", *PRODUCTION_150, "--wait"),
            env=cli.environment,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while b"soaking" not in await process.stderr.readline():
                assert process.returncode is None
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 130
        assert out == b""
        assert b"Stopped waiting. Rollout 1 continues: `slipway wait 1` waits again" in err
        assert (await api.slipway.engine.rollout(1, 42)).phase is Phase.SOAKING


async def test_every_action_can_be_pressed_and_a_rollout_waited_for(dsn: str, tmp_path: Path) -> None:
    async with serving(dsn, World(dsn, catalog(LONG))) as api:
        cli = await cli_of(api, tmp_path, LEAD)
        soaking = await api.slipway.soaking(PRODUCTION)
        said = await cli("act", "1", "pause", "--reason", "lunch", "--json")
        assert (said.code, json.loads(said.out)["pause"]["reason"]) == (0, "lunch")
        assert (await cli("act", "1", "promote")).err.startswith("A reason is required.")
        waiting = asyncio.create_task(cli("wait", "1"))
        await asyncio.sleep(1.0)
        await api.slipway.press(soaking, Action.ROLL_BACK, ONCALL)
        assert (await waiting).code == 7


async def test_status_asks_the_api_where_an_address_is_set(api: Api, tmp_path: Path) -> None:
    cli = await cli_of(api, tmp_path)
    await api.slipway.deploy(lane=PRODUCTION)
    said = await cli("status", "checkout")
    assert said.code == 0, said.err
    assert "checkout/production\n  1.4.0        100%  ready\n" in said.out
    assert "  rollout 1: " in said.out
    found = json.loads((await cli("status", "--json")).out)
    assert {lane["environment"] for lane in found["lanes"]} == {"staging", "production"}


async def test_settings_that_are_missing_or_unsafe_are_sentences(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    said = await cli("history")
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("SLIPWAY_URL and SLIPWAY_TOKEN are not set.")
    given = {"SLIPWAY_TOKEN": "slipway_secret", "SLIPWAY_URL": "http://deploy.example.com"}
    said = await cli("history", **given)
    assert said.code == 3
    assert "would send the token unencrypted to deploy.example.com" in said.err
    assert "slipway_secret" not in said.err
