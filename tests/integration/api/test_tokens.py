"""Tokens: refused when they are unknown, expired or revoked; stored as hashes; limited in rate; in the audit log."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.postgres.tokens import PREFIX
from bot.domain.rollout.model import Action
from bot.domain.tokens import SCOPE_OF, TokenScope
from bot.web.api.access import WAITING_AT_ONCE
from tests.support.actors import BOSS, DEV, ONCALL
from tests.support.api import GENEROUS, Answer, serving
from tests.support.waiting import until


def test_every_action_has_a_scope_and_only_approve_decides_what_goes_forward() -> None:
    assert set(SCOPE_OF) == set(Action)
    forward = {action for action, scope in SCOPE_OF.items() if scope is TokenScope.APPROVE}
    assert {Action.APPROVE, Action.PROMOTE} <= forward


async def test_a_request_without_a_valid_token_is_refused(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        past = datetime.now(UTC) - timedelta(seconds=1)
        await api.token("old", DEV, expires_at=past)
        await api.token("gone", DEV)
        await api.tokens.revoke("gone", "ada")
        for token, rule in (
            (None, "no_token"),
            ("nonsense", "token_unknown"),
            (PREFIX + "A" * 43, "token_unknown"),
            ("old", "token_expired"),
            ("gone", "token_revoked"),
        ):
            refused = await api(token, "GET", "/lanes")
            assert (refused.status, refused.body["rule"]) == (401, rule)
            assert refused.headers["WWW-Authenticate"].startswith('Bearer realm="slipway"')
            assert "lanes" not in refused.body
        basic = await api(None, "GET", "/lanes", Authorization="Basic YTpi")
        assert basic.status == 401


async def test_a_token_of_a_server_that_left_the_catalog_is_refused(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("elsewhere", DEV, guild_id=77)
        refused = await api("elsewhere", "GET", "/lanes")
        assert (refused.status, refused.body["rule"]) == (404, "unknown_guild")


async def test_a_secret_is_256_random_bits_of_which_only_the_hash_is_stored(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        secrets = {await api.token(f"t{i}", DEV) for i in range(20)}
        assert len(secrets) == 20
        async with api.slipway.database.connection() as connection:
            rows = await connection.fetch("SELECT to_jsonb(t)::text AS row, hash FROM tokens t ORDER BY id")
            told = await connection.fetch("SELECT to_jsonb(a)::text AS row FROM audit a")
        assert {row["hash"] for row in rows} == {hashlib.sha256(s.encode()).digest() for s in secrets}
        everything = "".join(row["row"] for row in (*rows, *told))
        assert not any(secret in everything for secret in secrets)
        assert len(told) == 20


async def test_making_and_revoking_are_in_the_audit_log_and_a_name_is_free_again(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("ci", BOSS, (TokenScope.DEPLOY,), services=("checkout",))
        with pytest.raises(AssertionError):
            await api.token("ci", BOSS)
        gone = await api.tokens.revoke("ci", "ada")
        assert gone is not None and gone.revoked_at is not None
        assert await api.tokens.revoke("ci", "ada") is None
        await api.token("ci", BOSS)
        created, revoked = await api.slipway.audit("token_created"), await api.slipway.audit("token_revoked")
        assert (len(created), len(revoked)) == (2, 1)
        assert revoked[0]["actor"] == "ada"
        assert '"scopes": ["deploy"]' in created[0]["details"]
        assert '"services": ["checkout"]' in created[0]["details"]


async def test_the_last_use_is_recorded_but_not_at_every_request(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("ci", DEV)
        assert (await api.tokens.all())[0].last_used_at is None
        await api("ci", "GET", "/token")
        first = (await api.tokens.all())[0].last_used_at
        assert first is not None
        await api("ci", "GET", "/token")
        assert (await api.tokens.all())[0].last_used_at == first


async def test_a_token_shows_itself(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("ci", DEV, (TokenScope.READ,), environments=("staging",))
        assert (await api("ci", "GET", "/token")).body == {
            "name": "ci",
            "owner": "dev",
            "owner_id": "11",
            "server": "demo",
            "roles": ["deployer"],
            "scopes": ["read"],
            "services": [],
            "environments": ["staging"],
            "expires_at": None,
        }


async def test_a_token_that_goes_too_fast_is_told_when_to_try_again_and_no_other_one(dsn: str) -> None:
    budgets = {**GENEROUS, "api_read": (3, 60), "api_change": (1, 60)}
    async with serving(dsn, working=False, budgets=budgets) as api:
        for name in ("fast", "calm"):
            await api.token(name, DEV)
        answers = [await api("fast", "GET", "/lanes") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
        assert answers[3].body["rule"] == "rate_limit_api"
        assert (await api("calm", "GET", "/lanes")).status == 200
        wrong = {"service": "checkout", "environment": "staging", "version": "9"}
        assert [(await api("calm", "POST", "/deploys", wrong)).status for _ in range(2)] == [404, 429]


async def test_the_person_on_call_rolls_back_at_any_rate(dsn: str) -> None:
    async with serving(dsn, working=False, budgets={**GENEROUS, "api_change": (1, 60)}) as api:
        await api.token("oncall", ONCALL)
        await api.token("boss", DEV)
        lane = {"service": "checkout", "environment": "production"}
        asked = [(await api("oncall", "POST", "/rollbacks", lane)).body["rule"] for _ in range(4)]
        assert asked == ["no_known_good"] * 4
        asked = [(await api("boss", "POST", "/rollbacks", lane)).status for _ in range(2)]
        assert asked == [409, 429]


async def answered(asked: list[asyncio.Task[Answer]]) -> list[int]:
    """The statuses of those that have their answer."""
    return [task.result().status for task in asked if task.done()]


async def test_a_token_may_not_hold_any_number_of_requests_open(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("ci", DEV)
        begun = await api.slipway.deploy()
        mark = (await api("ci", "GET", f"/rollouts/{begun.id}")).body["mark"]
        path = f"/rollouts/{begun.id}?wait_s=50&mark={mark}"
        asked = [asyncio.create_task(api("ci", "GET", path)) for _ in range(WAITING_AT_ONCE + 3)]
        # All others wait until something changes, however long a busy machine takes to ask them.
        await until(lambda: answered(asked), lambda statuses: len(statuses) >= 3)
        assert await answered(asked) == [429] * 3
        await api.slipway.press(begun, Action.PAUSE, DEV)
        statuses = sorted(answer.status for answer in await asyncio.gather(*asked))
        assert statuses == [200] * WAITING_AT_ONCE + [429] * 3
        assert (await api("ci", "GET", f"/rollouts/{begun.id}?wait_s=1")).status == 200


DEPLOY = {"service": "checkout", "version": "1.5.0", "environment": "staging"}


async def test_a_role_that_the_owner_loses_is_lost_for_the_token_at_the_next_request(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("dev", DEV)
        await api.token("oncall", ONCALL)
        assert (await api("dev", "POST", "/deploys/check", DEPLOY)).body["would_start"] is True
        api.members.taken[DEV.id] = {"deployer"}
        checked = (await api("dev", "POST", "/deploys/check", DEPLOY)).body
        assert [found["what"] for found in checked["findings"] if not found["ok"]] == ["role"]
        refused = await api("dev", "POST", "/deploys", DEPLOY)
        assert (refused.status, refused.body["rule"]) == (403, "role")
        assert (await api("dev", "GET", "/lanes")).status == 200  # what every token may
        # Of others nothing was taken, and a token never gets more than it was given.
        refused = await api("oncall", "POST", "/deploys", DEPLOY)
        assert (refused.status, refused.body["rule"]) == (403, "role")
        del api.members.taken[DEV.id]
        assert (await api("dev", "POST", "/deploys", DEPLOY)).status == 201


async def test_what_a_role_may_do_is_that_of_the_present_catalog(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("dev", DEV)
        world = api.slipway.world
        before = world.catalog
        lanes = {lane: replace(c, deploy_roles=("release-manager",)) for lane, c in before.lanes.items()}
        world.catalog = replace(before, lanes=lanes)
        refused = await api("dev", "POST", "/deploys", DEPLOY)
        assert (refused.status, refused.body["rule"]) == (403, "role")
        assert "`release-manager`" in refused.body["detail"]
        world.catalog = before
        assert (await api("dev", "POST", "/deploys", DEPLOY)).status == 201


async def test_a_change_is_refused_while_the_owners_roles_are_not_known(dsn: str) -> None:
    async with serving(dsn, working=False) as api:
        await api.token("dev", DEV)
        api.members.away = True
        refused = await api("dev", "POST", "/deploys", DEPLOY)
        assert (refused.status, refused.body["rule"]) == (503, "unreachable")
        assert (await api("dev", "GET", "/lanes")).status == 200
        assert await api.slipway.store.rollouts.active() == []
