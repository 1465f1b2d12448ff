"""What a pipeline asks over HTTP is what people ask in Discord: the same gates, roles, refusals and audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.rollout.model import Action, Phase
from bot.domain.tokens import TokenScope
from bot.logs import add_context
from bot.ports.errors import Unreachable
from bot.ui.cards.card import draw
from tests.fakes.outside import FakeReleases
from tests.support.actors import BOSS, DEV, GUEST, LEAD, ONCALL
from tests.support.api import Api, serving
from tests.support.catalogs import GATED, GUILD, LONG, PRODUCTION, V140, V150, catalog
from tests.support.harness import World

DEPLOY = {"service": "checkout", "version": "1.5.0", "environment": "staging", "reason": "a merge"}
TO_PRODUCTION = {**DEPLOY, "environment": "production"}


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with serving(dsn) as found:
        await found.token("dev", DEV)
        yield found


async def ended(api: Api, rollout: int, token: str = "dev") -> Any:
    """The rollout at its end, waited for as a pipeline does."""
    async with asyncio.timeout(60):
        while True:
            body = (await api(token, "GET", f"/rollouts/{rollout}?wait_s=5")).body
            if body["final"]:
                return body


async def test_a_deploy_runs_to_its_end_and_is_the_tokens_in_the_audit_log(api: Api) -> None:
    begun = await api("dev", "POST", "/deploys", DEPLOY)
    assert begun.status == 201, begun.body
    assert begun.headers["Location"] == f"/api/v1/rollouts/{begun.body['id']}"
    assert (begun.body["requester"], begun.body["final"]) == ("dev (token dev)", False)
    body = await ended(api, begun.body["id"])
    assert (body["phase"], body["from_version"], body["to_version"]) == ("succeeded", "1.4.0", "1.5.0")
    log = (await api("dev", "GET", f"/rollouts/{body['id']}/log")).body["lines"]
    asked = next(line for line in log if line["who"] == "dev (token dev)")
    assert (asked["via"], asked["why"]) == ("http", log[0]["why"])
    requested = [row for row in await api.slipway.audit(asked["what"]) if row["rollout_id"] == body["id"]]
    assert [(row["actor_id"], row["actor"], row["via"]) for row in requested] == [
        (DEV.id, "dev (token dev)", "http")
    ]


async def test_lanes_show_what_runs_and_what_is_under_way(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("dev", DEV)
        begun = await api("dev", "POST", "/deploys", DEPLOY)
        found = (await api("dev", "GET", "/lanes?service=checkout")).body["lanes"]
        lanes = {lane["environment"]: lane for lane in found}
        assert lanes["staging"]["active"]["id"] == begun.body["id"]
        assert lanes["production"]["active"] is None
        assert lanes["production"]["running"][0]["version"] == "1.4.0"
        releases = (await api("dev", "GET", "/lanes/checkout/staging/releases")).body["releases"]
        assert [release["version"] for release in releases] == ["1.5.1", "1.5.0", "1.4.0"]


async def test_the_verdict_of_a_rollout_is_opened(api: Api) -> None:
    begun = await api("dev", "POST", "/deploys", DEPLOY)
    body = await ended(api, begun.body["id"])
    found = await api("dev", "GET", f"/rollouts/{body['id']}/why")
    assert found.status == 200, found.body
    why = found.body
    assert (why["verdict"], why["hold"], why["note"], why["phase"]) == ("PASS", False, "", "succeeded")
    assert "of requests failed" in why["sentence"]
    assert any("more failed requests" in each for each in why["changes"])
    assert sum(block["requests"] for block in why["blocks"]) > 0
    (test, *_) = why["evidence"]
    assert test["needed"] > 1
    assert [p["at"] for p in test["points"]] == sorted(p["at"] for p in test["points"])
    assert (await api("dev", "GET", "/rollouts/9999/why")).status == 404


async def test_an_idempotency_key_starts_one_rollout(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("dev", DEV)
        await api.token("other", BOSS)
        first, second = await asyncio.gather(
            *(api("dev", "POST", "/deploys", DEPLOY, Idempotency_Key="run-1") for _ in "ab")
        )
        assert (first.status, second.status) == (201, 201)
        assert first.body["id"] == second.body["id"]
        another = await api(
            "dev", "POST", "/deploys", {**DEPLOY, "version": "1.5.1"}, Idempotency_Key="run-1"
        )
        assert (another.status, another.body["rule"]) == (409, "key_reused")
        # Keys belong to a token: another one's request is its own, and refused for its own reasons.
        refused = await api("other", "POST", "/deploys", DEPLOY, Idempotency_Key="run-1")
        assert (refused.status, refused.body["rule"]) == (409, "lane_busy")


async def test_a_refusal_is_a_problem_with_the_sentence_of_the_engine(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("dev", DEV)
        await api.token("guest", GUEST)
        refused = await api("guest", "POST", "/deploys", DEPLOY)
        assert refused.status == 403
        assert refused.headers["Content-Type"].startswith("application/problem+json")
        assert (refused.body["rule"], refused.body["status"], refused.body["title"]) == (
            "role",
            403,
            "Forbidden",
        )
        assert "You need the role `deployer` to deploy here." in refused.body["detail"]
        unknown = await api("dev", "POST", "/deploys", {**DEPLOY, "service": "checkuot"})
        assert (unknown.status, unknown.body["rule"]) == (404, "unknown_service")
        assert "Did you mean `checkout`?" in unknown.body["detail"]
        assert (await api("dev", "POST", "/deploys", DEPLOY)).status == 201
        busy = await api("dev", "POST", "/deploys", {**DEPLOY, "version": "1.5.1"})
        assert (busy.status, busy.body["rule"]) == (409, "lane_busy")


async def test_all_mistakes_are_told_at_once(api: Api) -> None:
    wrong = {"service": "", "version": 7, "reason": "x" * 501, "colour": "red"}
    told = await api("dev", "POST", "/deploys", wrong, Idempotency_Key="k" * 129)
    assert told.status == 422
    places = {mistake.get("pointer") or mistake.get("parameter") for mistake in told.body["errors"]}
    assert places == {"#/service", "#/version", "#/environment", "#/reason", "#/colour", "Idempotency-Key"}
    told = await api("dev", "GET", "/rollouts?limit=1_0&before=-3&colour=red&colour=blue")
    assert {mistake["parameter"] for mistake in told.body["errors"]} == {"limit", "before", "colour"}


@pytest.mark.parametrize(
    ("sent", "kind", "status"),
    [(b"{", "application/json", 400), (b"{}", "text/plain", 415), (b"[" * 60_000, "application/json", 400)],
)
async def test_a_body_that_cannot_be_read_is_refused(api: Api, sent: bytes, kind: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {api.secrets['dev']}", "Content-Type": kind}
    async with api.session.post(f"{api.base}/api/v1/deploys", data=sent, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")


async def test_what_does_not_exist_is_a_problem_too(api: Api) -> None:
    assert (await api("dev", "GET", "/nothing")).body["rule"] == "not_found"
    refused = await api("dev", "POST", "/lanes", {})
    assert (refused.status, refused.headers["Allow"]) == (405, "GET")
    missing = await api("dev", "GET", "/rollouts/999")
    assert (missing.status, missing.body["rule"]) == (404, "unknown_rollout")


async def test_approving_by_token_is_the_owners_approval_and_never_a_second_persons(api: Api) -> None:
    await api.token("boss", BOSS)
    await api.token("lead", LEAD)
    begun = (await api("boss", "POST", "/deploys", TO_PRODUCTION)).body
    await api.slipway.reaches(await api.slipway.engine.rollout(begun["id"], 42), Phase.GATED)
    seen = (await api("boss", "GET", f"/rollouts/{begun['id']}")).body
    assert (seen["gate"]["role"], seen["gate"]["quorum"]) == ("release-manager", 1)
    approve = {"action": "approve", "seal": seen["seal"], "step": seen["step"]}
    path = f"/rollouts/{begun['id']}/actions"
    own = await api("boss", "POST", path, approve)
    assert (own.status, own.body["rule"]) == (403, "not_the_requester")
    no_seal = await api("lead", "POST", path, {"action": "approve"})
    assert (no_seal.status, no_seal.body["rule"]) == (409, "seal")
    other = await api("lead", "POST", path, {**approve, "seal": "0" * 64})
    assert (other.status, other.body["rule"]) == (409, "seal")
    done = await api("lead", "POST", path, approve, Idempotency_Key="once")
    assert (done.status, done.body["repeated"]) == (200, False)
    assert [a["by"] for a in done.body["rollout"]["approvals"]] == ["lead (token lead)"]
    again = await api("lead", "POST", path, approve, Idempotency_Key="once")
    assert (again.status, again.body["repeated"]) == (200, True)
    approved = await api.slipway.audit("approved")
    assert [(row["actor_id"], row["actor"], row["via"]) for row in approved] == [
        (LEAD.id, "lead (token lead)", "http")
    ]


async def test_two_tokens_of_one_person_are_one_of_two_approvals(dsn: str) -> None:
    steps = tuple(replace(step, quorum=2) if step.kind == "gate" else step for step in GATED.steps)
    async with serving(dsn, World(dsn, catalog(replace(GATED, steps=steps)))) as api:
        for name in ("one", "two"):
            await api.token(name, LEAD)
        begun = await api.slipway.deploy(lane=PRODUCTION)
        gated = await api.slipway.reaches(begun, Phase.GATED)
        approve = {"action": "approve", "seal": gated.seal, "step": gated.step}
        for name in ("one", "two"):
            await api(name, "POST", f"/rollouts/{begun.id}/actions", approve)
        await api.slipway.press(gated, Action.APPROVE, LEAD, seal=gated.seal)
        seen = (await api("one", "GET", f"/rollouts/{begun.id}")).body
        assert (seen["phase"], len(seen["approvals"])) == ("gated", 1)


async def test_a_rollback_over_http_brings_the_traffic_back(dsn: str) -> None:
    async with serving(dsn, World(dsn, catalog(LONG))) as api:
        await api.token("oncall", ONCALL)
        soaking = await api.slipway.soaking()
        begun = await api(
            "oncall", "POST", "/rollbacks", {"service": "checkout", "environment": "production"}
        )
        assert (begun.status, begun.body["id"]) == (201, soaking.id)
        body = await ended(api, soaking.id, "oncall")
        assert (body["phase"], body["observed_weight"]) == ("rolled_back", 0)


async def test_an_irreversible_release_goes_back_over_http_once_that_is_confirmed(dsn: str) -> None:
    world = World(dsn, catalog(LONG))
    world.releases = FakeReleases({"checkout": [replace(V150, irreversible="drops the table coupons"), V140]})
    async with serving(dsn, world) as api:
        await api.token("oncall", ONCALL)
        soaking = await api.slipway.soaking()
        lane = {"service": "checkout", "environment": "production"}
        shown = (await api("oncall", "GET", f"/rollouts/{soaking.id}")).body
        assert shown["irreversible"] == "drops the table coupons"
        (release, _) = (await api("oncall", "GET", "/lanes/checkout/production/releases")).body["releases"]
        assert release["irreversible"] == "drops the table coupons"
        assert (release["made_at"], release["subject"]) == (None, "")
        refused = await api("oncall", "POST", "/rollbacks", lane)
        assert (refused.status, refused.body["rule"]) == (409, "irreversible")
        act = f"/rollouts/{soaking.id}/actions"
        assert (await api("oncall", "POST", act, {"action": "rollback"})).body["rule"] == "irreversible"
        begun = await api("oncall", "POST", "/rollbacks", {**lane, "confirm": True})
        assert (begun.status, begun.body["id"]) == (201, soaking.id)
        body = await ended(api, soaking.id, "oncall")
        assert body["phase"] == "rolled_back"
        assert "although 1.5.0 is irreversible" in body["outcome"]


async def test_every_action_of_a_button_can_be_asked_for(dsn: str) -> None:
    async with serving(dsn, World(dsn, catalog(LONG))) as api:
        await api.token("lead", LEAD)
        soaking = await api.slipway.soaking()

        async def act(action: str, **more: Any) -> Any:
            sent = {"action": action, **more}
            return await api("lead", "POST", f"/rollouts/{soaking.id}/actions", sent)

        assert (await act("pause", reason="lunch")).body["rollout"]["pause"]["reason"] == "lunch"
        assert (await act("extend", seconds=90)).status == 200
        assert (await act("resume")).body["rollout"]["pause"] is None
        refused = await act("promote")
        assert (refused.status, refused.body["rule"]) == (409, "reason")
        assert (await act("approve", seal=soaking.seal)).body["rule"] == "not_now"
        assert (await act("rollback", reason="enough")).status == 200
        assert (await ended(api, soaking.id, "lead"))["phase"] == "rolled_back"


async def test_locks_and_the_panic_stop_hold_for_http_as_for_people(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("lead", LEAD)
        await api.token("dev", DEV)
        await api.token("oncall", ONCALL)
        held = await api("lead", "POST", "/lanes/checkout/staging/lock", {"reason": "an audit", "for_s": 600})
        assert (held.status, held.body["owner"]) == (200, "lead (token lead)")
        assert (await api("dev", "POST", "/deploys", DEPLOY)).body["rule"] == "locked"
        checked = (await api("dev", "POST", "/deploys/check", DEPLOY)).body
        assert checked["would_start"] is False
        assert [f["what"] for f in checked["findings"] if not f["ok"]] == ["lock"]
        free = await api("lead", "POST", "/lanes/checkout/staging/unlock", {})
        assert free.body["lanes"][0]["lock"] is None
        assert (await api("dev", "POST", "/panic", {"on": True})).body["rule"] == "role"
        assert (await api("oncall", "POST", "/panic", {"on": True})).body == {"on": True, "rollouts": 0}
        assert (await api("dev", "POST", "/deploys", DEPLOY)).body["rule"] == "panic"
        assert (await api("oncall", "POST", "/panic", {"on": False})).status == 200
        assert (await api("dev", "POST", "/deploys", DEPLOY)).status == 201


async def test_history_has_pages(api: Api) -> None:
    numbers = []
    for version in ("1.5.0", "1.5.1", "1.5.0"):
        begun = (await api("dev", "POST", "/deploys", {**DEPLOY, "version": version})).body
        await ended(api, begun["id"])
        numbers.append(begun["id"])
    first = (await api("dev", "GET", "/rollouts?limit=2&environment=staging")).body
    assert [r["id"] for r in first["rollouts"]] == numbers[:0:-1]
    rest = (await api("dev", "GET", f"/rollouts?limit=2&environment=staging&before={first['next']}")).body
    assert ([r["id"] for r in rest["rollouts"]], rest["next"]) == (numbers[:1], None)


async def test_waiting_ends_with_a_change_or_when_the_time_is_up(dsn: str) -> None:
    async with serving(dsn, World(dsn, catalog(LONG))) as api:
        await api.token("dev", DEV)
        soaking = await api.slipway.soaking()
        seen = (await api("dev", "GET", f"/rollouts/{soaking.id}")).body
        waiting = asyncio.create_task(
            api("dev", "GET", f"/rollouts/{soaking.id}?wait_s=50&mark={seen['mark']}")
        )
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await api.slipway.press(soaking, Action.PAUSE, LEAD, reason="look")
        async with asyncio.timeout(20):
            told = (await waiting).body
        assert (told["pause"]["by"], told["mark"] != seen["mark"]) == ("lead", True)
        late = (await api("dev", "GET", f"/rollouts/{soaking.id}?wait_s=1")).body
        assert late["final"] is False


async def test_a_token_limited_to_staging_sees_and_changes_staging_alone(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("ci", BOSS, environments=("staging",))
        assert [lane["environment"] for lane in (await api("ci", "GET", "/lanes")).body["lanes"]] == [
            "staging"
        ]
        elsewhere = await api.slipway.deploy(lane=PRODUCTION)
        for method, path, body in (
            ("POST", "/deploys", TO_PRODUCTION),
            ("POST", "/deploys/check", TO_PRODUCTION),
            ("POST", "/rollbacks", {"service": "checkout", "environment": "production"}),
            ("GET", f"/rollouts/{elsewhere.id}", None),
            ("GET", f"/rollouts/{elsewhere.id}/log", None),
            ("GET", f"/rollouts/{elsewhere.id}/why", None),
            ("POST", f"/rollouts/{elsewhere.id}/actions", {"action": "cancel"}),
            ("GET", "/lanes/checkout/production/releases", None),
            ("POST", "/lanes/checkout/production/lock", {"reason": "x"}),
            ("POST", "/lanes/checkout/production/unlock", {}),
            ("POST", "/panic", {"on": True}),
        ):
            refused = await api("ci", method, path, body)
            assert (refused.status, refused.body["rule"]) == (403, "token_limit"), path
        assert (await api("ci", "GET", "/rollouts")).body["rollouts"] == []
        assert (await api("ci", "POST", "/deploys", DEPLOY)).status == 201
        assert len((await api("ci", "GET", "/rollouts")).body["rollouts"]) == 1


async def test_a_token_does_no_more_than_its_scopes(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        asks: dict[TokenScope, tuple[str, str, Any]] = {
            TokenScope.READ: ("GET", "/lanes", None),
            TokenScope.DEPLOY: ("POST", "/deploys", DEPLOY),
            TokenScope.OPERATE: ("POST", "/rollbacks", {"service": "checkout", "environment": "staging"}),
            TokenScope.APPROVE: ("POST", "/rollouts/1/actions", {"action": "approve"}),
            TokenScope.LOCK: ("POST", "/panic", {"on": False}),
        }
        for scope, (method, path, body) in asks.items():
            await api.token(f"without-{scope}", BOSS, tuple(s for s in TokenScope if s is not scope))
            refused = await api(f"without-{scope}", method, path, body)
            assert (refused.status, refused.body["rule"]) == (403, "scope")
            assert f'scope="{scope}"' in refused.headers["WWW-Authenticate"]
            await api.token(f"only-{scope}", BOSS, (scope,))
            allowed = await api(f"only-{scope}", method, path, body)
            assert allowed.body.get("rule") != "scope", path


async def test_an_engine_that_does_not_answer_is_503_and_an_unexpected_error_shows_only_its_reference(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("dev", DEV)

        async def away(*args: object, **more: object) -> None:
            raise Unreachable("the database does not answer")

        async def broken(*args: object, **more: object) -> None:
            raise RuntimeError("postgresql://u:hunter2@h")

        monkeypatch.setattr(api.slipway.engine, "status", away)
        refused = await api("dev", "GET", "/lanes")
        assert (refused.status, refused.body["rule"]) == (503, "unreachable")
        assert int(refused.headers["Retry-After"]) > 0
        monkeypatch.setattr(api.slipway.engine, "status", broken)
        with capture_logs(processors=[add_context]) as logs:
            failed = await api("dev", "GET", "/lanes")
        assert (failed.status, failed.body["rule"]) == (500, "internal")
        (line,) = logs
        assert (line["event"], line["guild_id"], line["user_id"]) == ("api_request_failed", GUILD, DEV.id)
        assert failed.body["ref"] in failed.body["detail"] and "hunter2" not in str(failed.body)


async def test_the_card_names_the_token(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("ci-staging", DEV)
        begun = (await api("ci-staging", "POST", "/deploys", DEPLOY)).body
        view = await api.slipway.engine.card(begun["id"])
        drawn = str(draw(view, datetime.now(UTC)).view.to_components()).replace("\\", "")
        assert "requested by dev (token ci-staging)" in drawn
