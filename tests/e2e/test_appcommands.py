"""Slash commands of another application, end to end: the story of the demo, crowds, restarts, and the command line."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from demo.stories.runner import STORIES, play, read
from demo.stories.sandbox import SandboxWorld
from demo.stories.stage import Json, said
from tests.support.e2e import acts
from tests.support.e2e.stack import Stack, lanes, marks, opened
from tests.support.forked import Said, command
from tests.support.paths import ROOT
from tests.support.postgres import PostgresServer

pytestmark = [*marks("commands-sync"), pytest.mark.real, pytest.mark.long]
DEMO = ROOT / "config" / "demo"
SERVICE = "greeter-commands"


PERSON = "1459747831315891300"  # behind the account that runs the tests: none of those who approve


class CommandLineAnswer(Said):
    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """The demo's catalog, in which the account that runs the tests may deploy from the command line."""
    config = tmp_path_factory.mktemp("catalog") / "demo"
    shutil.copytree(DEMO, config)
    mapped = f'{{roles: [deployer], person: "{PERSON}"}}'
    (config / "accounts.yaml").write_text(f"command_line:\n  {account()}: {mapped}\n")
    name = await postgres.fresh()
    served = lanes("herald/production", rate=0)
    environment = {"SLIPWAY_DEMO_ROOT": str(ROOT)}
    async with opened(served, postgres.dsn(name), environment=environment, config=config) as it:
        yield it
    await postgres.drop(name)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def calm(stack: Stack) -> AsyncIterator[None]:
    """What a test that failed left behind is nothing to the next one."""
    for environment in ("staging", "production"):
        await acts.cleared(stack, SERVICE, environment)
    yield
    await stack.stage.call("DELETE", "faults")


def account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


# ---- what is done ------------------------------------------------------------------------------------------


def merge(stack: Stack, *names: str, **more: Any) -> None:
    """The application's manifest is now these commands."""
    manifest = [{"name": name, "description": f"Does {name}", **more} for name in names]
    (stack.demo.manifests / "greeter-1.5.0.json").write_text(json.dumps(manifest))


async def commands(stack: Stack) -> tuple[list[str], list[str]]:
    """The names of the application's commands: everywhere, and in the server alone."""
    return await SandboxWorld(stack.demo, stack.stage).app_commands("greeter")


async def everywhere(stack: Stack, *names: str) -> None:
    """Waits until these are the application's commands, and the server has none of its own."""

    async def look() -> bool | None:
        return True if await commands(stack) == (sorted(names), []) else None

    await stack.until(f"{names} everywhere", look)


async def sync(stack: Stack, what: str, user: str = "dev", **options: Any) -> str:
    answer = await stack.stage.slash(user, f"commands-sync {what}", app="greeter", **options)
    return said(answer).replace("\\", "")


async def applied(stack: Stack, environment: str, user: str = "dev") -> int:
    """The rollout that an apply begins."""
    text = await sync(stack, "apply", user, environment=environment)
    assert " started**" in text, text
    return await stack.newest(SERVICE, environment)


async def in_staging(stack: Stack, *names: str) -> None:
    merge(stack, *names)
    await stack.phase(await applied(stack, "staging"), "succeeded")
    assert (await commands(stack))[1] == sorted(names)


async def slipway(stack: Stack, *words: str, **environment: str) -> CommandLineAnswer:
    return await run(stack, "commands", *words, **environment)


async def run(stack: Stack, *words: str, **environment: str) -> CommandLineAnswer:
    settings = {**os.environ, **stack.demo._env, "PYTHONPATH": str(ROOT), **environment}
    found = CommandLineAnswer(*await command(words, settings, stack.demo.folder, 240))
    assert "Traceback" not in found.err, found.err
    return found


async def gate(stack: Stack) -> int:
    """The production rollout that waits for approval."""

    async def look() -> int | None:
        id_ = await acts.active(stack, SERVICE, "production")
        return id_ if id_ is not None and (await stack.rollout(id_))["phase"] == "gated" else None

    return await stack.until("a gate for the commands", look)


async def changes(stack: Stack, since: int) -> list[Json]:
    """What was called to change commands of the application."""
    found = (await stack.stage.call("GET", "requests", since=since, application="greeter", limit=500))[
        "requests"
    ]
    return [r for r in found if r["method"] != "GET" and "/commands" in r["path"]]


async def now(stack: Stack) -> int:
    return int((await stack.stage.call("GET", "requests", limit=1))["last"])


# ---- in Discord --------------------------------------------------------------------------------------------


async def test_the_story_goes_as_told(stack: Stack) -> None:
    await play(read(STORIES[1]), SandboxWorld(stack.demo, stack.stage), stack.stage.transcript)


async def test_the_card_shows_who_approves_what_changes(stack: Stack) -> None:
    await in_staging(stack, "greet", "sing")
    id_ = await applied(stack, "production")
    card = (await stack.button(id_, "Approve"))["text"].replace("\\", "")
    assert "created: /sing" in card
    await acts.act(stack, "lead", id_, "reject", reason="not today")
    await stack.phase(id_, "cancelled")


async def test_two_people_applying_at_once_change_things_once(stack: Stack) -> None:
    merge(stack, "greet", "dance")
    since = await now(stack)
    before = await stack.rows("SELECT id FROM rollouts WHERE service = $1", SERVICE)
    answers = await asyncio.gather(
        *(sync(stack, "apply", user, environment="staging") for user in ("dev", "dev2"))
    )
    begun = [a for a in answers if " started**" in a]
    assert len(begun) == 1, answers
    other = next(a for a in answers if a not in begun)
    # The later one asks during the rollout of the first, or compares before its end and asks after it, or comes later.
    refusals = ("is active", "already runs in staging", "Nothing is different")
    assert any(refusal in other for refusal in refusals), other
    await stack.phase(await stack.newest(SERVICE, "staging"), "succeeded")
    after = await stack.rows("SELECT id FROM rollouts WHERE service = $1", SERVICE)
    assert len(after) == len(before) + 1
    calls = await changes(stack, since)
    assert len(calls) == len({json.dumps(c["body"], sort_keys=True) + c["path"] for c in calls}), calls


async def test_a_bot_killed_between_staging_and_production_and_at_the_gate_goes_on(stack: Stack) -> None:
    await in_staging(stack, "greet", "juggle")
    await stack.kill_bot()
    await stack.bot_back()
    await acts.connected(stack)
    id_ = await applied(stack, "production")
    await stack.phase(id_, "gated")
    await stack.button(id_, "Approve")
    await stack.kill_bot()
    await stack.bot_back()
    await acts.connected(stack)
    await stack.press("lead", id_, "Approve")
    await stack.phase(id_, "succeeded")
    await everywhere(stack, "greet", "juggle")
    assert "Nothing is different" in await sync(stack, "apply", environment="production")


async def test_buttons_of_a_list_outlive_the_bot(stack: Stack) -> None:
    listed = await stack.stage.slash("dev", "commands-sync backups", app="greeter")
    await stack.kill_bot()
    await stack.bot_back()
    await acts.connected(stack)
    select = listed["message"]["selects"][0]
    one = await stack.stage.choose(
        "dev", listed["message"]["id"], select["custom_id"], select["options"][0]["value"]
    )
    assert "Backup" in said(one)
    assert "What restoring" in said(await stack.stage.press("dev", one["message"]["id"], "Compare with now"))


async def test_an_emergency_goes_without_staging_by_its_role_and_everybody_hears(stack: Stack) -> None:
    merge(stack, "greet", "panic")
    refused = await sync(stack, "apply", environment="production", emergency=True, reason="on fire")
    assert "`on-call`" in refused
    await stack.stage.call("PATCH", "people/dev2", {"roles": ["deployer", "oncall"]})
    before = await stack.stage.last_message("deploys")
    text = await sync(stack, "apply", "dev2", environment="production", emergency=True, reason="on fire")
    assert " started**" in text
    assert await stack.stage.message("deploys", "continues as an EMERGENCY", "on fire", after=before)
    id_ = await gate(stack)
    await stack.press("lead", id_, "Approve")
    await stack.phase(id_, "succeeded")
    await stack.stage.call("PATCH", "people/dev2", {"roles": ["deployer"]})


# ---- on the command line -----------------------------------------------------------------------------------


async def test_a_pipeline_detects_shows_applies_and_waits_for_the_button(stack: Stack) -> None:
    merge(stack, "greet", "whistle")
    found = await slipway(stack, "detect", "greeter", "--json", "--exit-code")
    assert (found.code, found.json["applications"][0]["pending"]) == (10, ["staging", "production"])
    shown = await slipway(stack, "diff", "greeter", "--environment", "production", "--json", "--exit-code")
    assert shown.code == 10
    assert "+ /whistle created" in shown.json["text"]
    assert shown.json["environments"][0]["scopes"][0]["changes"]
    staged = await slipway(stack, "apply", "greeter", "staging", "--wait", "--timeout", "200")
    assert staged.code == 0, staged
    assert "succeeded" in staged.out
    produced = asyncio.create_task(
        slipway(
            stack, "apply", "greeter", "production", "--wait", "--json", "--key", "run-7", "--reason", "merge"
        )
    )
    id_ = await gate(stack)
    again = await slipway(stack, "apply", "greeter", "production", "--json", "--key", "run-7")
    assert again.json["rollout"]["id"] == id_
    await stack.press("lead", id_, "Approve")
    done = await produced
    assert (done.code, done.json["rollout"]["phase"]) == (0, "succeeded"), done
    audit = (await stack.audit(id_))[0]
    assert (audit["via"], audit["actor"].partition("@")[0]) == ("cli", account())
    assert (await slipway(stack, "detect", "greeter", "--exit-code")).code == 0
    nothing = await slipway(stack, "apply", "greeter", "production", "--wait", "--json")
    assert (nothing.code, nothing.json["rollout"]) == (0, None)


async def test_where_everyone_is_the_same_account_a_personal_token_says_who_asks(stack: Stack) -> None:
    merge(stack, "greet", "hum")
    shared = {"SLIPWAY_SHARED_ACCOUNT": "true"}
    refused = await slipway(stack, "apply", "greeter", "staging", **shared)
    assert refused.code == 1
    assert f"Everyone here is {account()}@" in refused.err
    lead = await stack.stage.call("PATCH", "people/lead", {"roles": ["release-manager", "deployer"]})
    made = await run(
        stack,
        *(
            "token",
            "create",
            "lead-laptop",
            "--owner",
            str(lead["id"]),
            "--owner-name",
            "Lea",
            "--scope",
            "deploy",
        ),
        *("--role", "release-manager", "--role", "deployer"),
    )
    assert made.code == 0, made
    given = {**shared, "SLIPWAY_TOKEN": made.out.strip()}
    staged = await slipway(stack, "apply", "greeter", "staging", "--as", "lead-laptop", "--wait", **given)
    assert staged.code == 0, staged
    begun = await slipway(stack, "apply", "greeter", "production", "--as", "lead-laptop", "--json", **given)
    id_ = await gate(stack)
    assert begun.json["rollout"]["id"] == id_
    assert "Lea (token lead-laptop)" in (await stack.audit(id_))[0]["actor"]
    own = await stack.press("lead", id_, "Approve")
    assert "You requested this rollout" in said(own)
    await acts.act(stack, "dev", id_, "cancel")
    await stack.phase(id_, "cancelled")
    await stack.stage.call("PATCH", "people/lead", {"roles": ["release-manager"]})


async def test_a_decision_that_does_not_come_in_time_has_its_own_exit_code(stack: Stack) -> None:
    await in_staging(stack, "greet", "snore")
    waited = await slipway(stack, "apply", "greeter", "production", "--wait", "--timeout", "1", "--json")
    assert (waited.code, waited.json["rollout"]["final"]) == (11, False)
    id_ = waited.json["rollout"]["id"]
    await acts.act(stack, "lead", id_, "reject", reason="not now")
    await stack.phase(id_, "cancelled")
    rejected = asyncio.create_task(slipway(stack, "apply", "greeter", "production", "--wait"))
    id_ = await gate(stack)
    await acts.act(stack, "lead", id_, "reject", reason="still no")
    ended = await rejected
    assert ended.code == 1
    assert "still no" in ended.out


async def test_a_bad_manifest_is_refused_with_every_mistake_and_needs_no_database(stack: Stack) -> None:
    bad = str(stack.demo.manifests / "greeter-bad.json")
    nowhere = {"SLIPWAY_DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    found = await slipway(stack, "validate", "greeter", "--file", bad, "--json", **nowhere)
    assert found.code == 1
    assert {m["path"] for m in found.json["mistakes"]} >= {"$[0].name", "$[1].description", "$[3].kind"}
    good = await slipway(
        stack, "validate", "greeter", "--file", str(DEMO / "manifests" / "greeter-1.5.0.json"), **nowhere
    )
    assert good.code == 0
    compared = await slipway(stack, "diff", "greeter", "--file", bad, "--json", **nowhere)
    assert (compared.code, compared.json["different"]) == (1, False)
    shutil.copy(bad, stack.demo.manifests / "greeter-1.5.0.json")
    applied_bad = await slipway(stack, "apply", "greeter", "staging", "--json")
    assert (applied_bad.code, applied_bad.json["error"]["rule"]) == (1, "manifest")
    assert len(applied_bad.json["error"]["mistakes"]) == len(found.json["mistakes"])
    (stack.demo.manifests / "greeter-1.5.0.json").write_text("{not json")
    unread = await slipway(stack, "validate", "greeter")
    assert unread.code == 1
    assert "not JSON" in unread.err


async def test_backups_are_listed_and_restored_while_the_gateway_is_down(stack: Stack) -> None:
    await in_staging(stack, "greet", "yawn")
    await acts.fault(stack, "gateway_drop", seconds=900)
    await acts.disconnected(stack)
    merge(stack, "greet", "blink")
    staged = await slipway(stack, "apply", "greeter", "staging", "--wait", "--json")
    assert staged.code == 0, staged
    listed = (await slipway(stack, "backups", "greeter", "--environment", "staging", "--json")).json[
        "backups"
    ]
    assert listed[0]["commands"] == 2
    back = await slipway(
        stack, "rollback", "greeter", str(listed[0]["id"]), "--wait", "--json", "--reason", "worse"
    )
    assert back.code == 0, back
    assert (await commands(stack))[1] == ["greet", "yawn"]
    await stack.stage.call("DELETE", "faults")
    await acts.connected(stack)


async def test_an_account_without_roles_may_look_and_not_apply(stack: Stack) -> None:
    config = {"SLIPWAY_CONFIG_DIR": str(DEMO)}
    merge(stack, "greet", "cough")
    assert (await slipway(stack, "diff", "greeter", **config)).code == 0
    refused = await slipway(stack, "apply", "greeter", "staging", **config)
    assert refused.code == 1
    assert f"The account `{account()}` has no role here" in refused.err
    assert (await slipway(stack, "health", "greeter", "--json", **config)).json["applications"]


async def test_wrong_words_are_answered_in_sentences(stack: Stack) -> None:
    wrong = await slipway(stack, "diff", "greter", "--json")
    assert (wrong.code, wrong.json["error"]["remedy"]) == (1, "Did you mean `greeter`?")
    assert (await slipway(stack, "apply", "greeter", "prod")).code == 2
    assert (await slipway(stack, "apply", "greeter", "production", "--emergency")).code == 1
    assert "no server" in (await slipway(stack, "detect", "--server", "elsewhere")).err
    assert (await slipway(stack, "rollback", "greeter", "99999")).code == 1
    assert (await slipway(stack, "validate", "greeter", "--file", "nowhere.json")).code == 1
