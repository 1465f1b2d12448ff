"""A small catalog as the engine gets it: one service in two environments, its plans, policy and releases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.domain.config import Catalog, GuildConfig, LaneConfig
from bot.domain.judge import judge
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Lane, Plan, Policy, Release
from bot.domain.rollout.step_builder import Stepped
from bot.domain.rollout.steps import Gate, HttpCheck, Observe, Shift, Soak, Verify
from tests.support.actors import DEV

GUILD = 42
STAGING, PRODUCTION = Lane("checkout", "staging"), Lane("checkout", "production")
V140, V150, V151 = (
    Release("checkout", version, f"sha256:{version}", spec={"command": ["serve", version]})
    for version in ("1.4.0", "1.5.0", "1.5.1")
)

VERIFY = Verify((HttpCheck("/healthz"),), timeout_s=5.0)
STRAIGHT = Plan("staging", (VERIFY, Shift(100, 5.0), Observe(0.1)))
GATED = Plan(
    "production",
    (VERIFY, Gate("go", "release-manager"), Shift(10, 5.0), Soak(0.2), Shift(100, 5.0), Observe(0.1)),
)
# A soak that no test sees the end of.
LONG = Plan("long", (VERIFY, Shift(10, 5.0), Soak(60.0), Shift(100, 5.0)))


def policy(**changes: Any) -> Policy:
    objectives = (judge.Objective("errors", "errors", 0.01), judge.Objective("p99", "latency", 0.01, 1.0))
    judging = judge.JudgePolicy(
        objectives=objectives,
        phi=1.0,
        min_requests=50,
        planned_ticks=20,
        tick_s=0.05,
        settle_s=0.0,
        error_limit_s=0.2,
    )
    usual = Policy(
        judge=judging,
        tick_s=0.05,
        rollback_roles=("on-call", "release-manager"),
        operate_roles=("release-manager", "deployer"),
        rollback_timeout_s=5.0,
        notify_roles=("on-call",),
    )
    return replace(usual, **changes)


def catalog(production: Plan = GATED, **changes: Any) -> Catalog:
    """Two environments of one service; `changes` are fields of production's `LaneConfig`."""
    staging = LaneConfig(
        STAGING, (GUILD,), STRAIGHT, policy(), "local", ("router",), ("deployer",), ("release-manager",)
    )
    usual = replace(staging, lane=PRODUCTION, plan=production)
    lanes = {STAGING: staging, PRODUCTION: replace(usual, **changes)}
    guild = GuildConfig(GUILD, "demo", {}, {}, panic_roles=("on-call",))
    return Catalog({GUILD: guild}, lanes, "1")


def begin_rollout(**given: Any) -> Stepped:
    """The first step of a rollout of 1.5.0 over 1.4.0. `id`, `lane`, `plan`, `at` and `generation` are always given."""
    usual = {"guild_id": GUILD, "stable": V140, "candidate": V150, "requester": DEV, "reason": ""}
    return machine.begin(**{**usual, "policy": policy(), **given})
