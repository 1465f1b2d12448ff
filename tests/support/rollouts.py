"""Catalogs, releases and rollouts for the tests of the face."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.config import Catalog, GuildConfig, LaneConfig
from bot.domain.judge import judge
from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.history.replay import judged_tick
from bot.domain.rollout.events import Acted, Applied, Measured, Reported
from bot.domain.rollout.machine.verdicts import required_s
from bot.domain.rollout.model import Action, Actor, Lane, Plan, Policy, Release, Rollout
from bot.domain.rollout.steps import Gate, Observe, Shift, Soak, Verify
from bot.engine.api import DeployRequest, SeriesPoint
from tests.fakes.engine import FakeEngine
from tests.support.actors import DEV, LEAD
from tests.support.clocks import FrozenClock

NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)
GUILD = 77
STAGING, PRODUCTION = Lane("checkout", "staging"), Lane("checkout", "production")
RELEASES = [Release("checkout", v, f"sha256:{v}") for v in ("1.5.1", "1.5.0", "1.4.0")]

POLICY = Policy(
    judge=judge.JudgePolicy(
        objectives=(
            judge.Objective("errors", "errors", 0.01),
            judge.Objective("slow requests", "latency", 0.01, threshold_s=2.0),
        ),
        phi=1.0,
        min_requests=50,
    ),
    rollback_roles=("on-call", "release-manager"),
    operate_roles=("release-manager",),
    notify_roles=("on-call",),
)


def guild(guild_id: int = GUILD) -> GuildConfig:
    return GuildConfig(
        guild_id,
        "harbor",
        {"deploys": "deploys", "alerts": "alerts"},
        {"deployer": "deployer", "release-manager": "release-manager", "on-call": "oncall"},
        panic_roles=("on-call", "release-manager"),
    )


def lane_config(lane: Lane, guild_id: int = GUILD, *, gated: bool) -> LaneConfig:
    gates = (Gate("production", "release-manager"),) if gated else ()
    steps = (Verify(), *gates, Shift(5), Soak(10), Shift(100), Observe(10))
    return LaneConfig(
        lane,
        (guild_id,),
        Plan("canary", steps),
        POLICY,
        "local",
        (),
        deploy_roles=("deployer",),
        lock_roles=("deployer", "release-manager"),
    )


def catalog(guild_id: int = GUILD) -> Catalog:
    lanes = [lane_config(STAGING, guild_id, gated=False), lane_config(PRODUCTION, guild_id, gated=True)]
    return Catalog({guild_id: guild(guild_id)}, {c.lane: c for c in lanes}, "digest")


def engine(guild_id: int = GUILD, clock: FrozenClock | None = None) -> FakeEngine:
    made = FakeEngine(catalog(guild_id), clock or FrozenClock(NOW), RELEASES)
    made.stable = {STAGING: RELEASES[2], PRODUCTION: RELEASES[2]}
    return made


async def deployed(
    made: FakeEngine,
    environment: str = "production",
    version: str = "1.5.0",
    reason: str = "",
    who: Actor = DEV,
) -> Rollout:
    """A rollout that has just begun."""
    guild_id = next(iter(made.catalog.guilds))
    begun = await made.deploy(DeployRequest(guild_id, who, "checkout", version, environment, reason))
    assert isinstance(begun, Rollout)
    return begun


def started(made: FakeEngine, rollout_id: int) -> Rollout:
    """The candidate runs and has passed its checks."""
    now = made.clock.now()
    rollout = made.rollouts[rollout_id]
    made.happen(rollout_id, Applied(rollout.generation, now, 0))
    return made.happen(rollout_id, Reported("run_checks", 0, now, passed=True))


def approved(made: FakeEngine, rollout_id: int, by: Actor = LEAD) -> Rollout:
    return made.happen(rollout_id, Acted(Action.APPROVE, by, made.clock.now()))


def serving(made: FakeEngine, rollout_id: int) -> Rollout:
    """What was ordered last is observed."""
    rollout = made.rollouts[rollout_id]
    return made.happen(rollout_id, Applied(rollout.generation, made.clock.now(), rollout.weight))


def measured(
    made: FakeEngine, rollout_id: int, total: int = 200, bad: int = 0, seconds: float = 5.0
) -> Rollout:
    """One look of the judge; also a point of the chart."""
    forward(made, seconds)
    now = made.clock.now()
    counts = {"errors": Counts(total, bad), "slow requests": Counts(total, 0)}
    stable = {"errors": Counts(total * 10, 2), "slow requests": Counts(total * 10, 1)}
    tick = Tick(now.timestamp(), seconds, counts, stable)
    point = SeriesPoint(
        now,
        made.rollouts[rollout_id].weight,
        {"errors": (total, bad), "slow requests": (total, 0)},
        {"errors": (total * 10, 2), "slow requests": (total * 10, 1)},
        0.12,
        0.11,
    )
    made.series.setdefault(rollout_id, []).append(point)
    before = made.rollouts[rollout_id]
    if before.judge_state is not None:
        kept = judged_tick(before.judge_state, before.policy.judge, tick, required_s(before))
        made.judged.setdefault(rollout_id, []).append(kept)
    return made.happen(rollout_id, Measured(now, tick))


def forward(made: FakeEngine, seconds: float) -> None:
    """Time passes."""
    assert isinstance(made.clock, FrozenClock)
    made.clock.forward(seconds)


async def soaking(made: FakeEngine, environment: str = "production", version: str = "1.5.0") -> Rollout:
    """A rollout in its first soak, with traffic and one measurement."""
    rollout = await deployed(made, environment, version)
    started(made, rollout.id)
    if environment == "production":
        approved(made, rollout.id)
    serving(made, rollout.id)
    return measured(made, rollout.id)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
