"""What outlives a process: the database, the targets, Discord, the catalog; and a trace of what happened."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from bot.domain.config import Catalog, GuildConfig, LaneConfig
from bot.domain.judge import judge
from bot.domain.rollout.model import Desired, Lane, Plan, Policy, Release
from bot.domain.rollout.steps import Gate, HttpCheck, Observe, Shift, Soak, SyncCommands, Verify
from bot.ports.store import PANIC_NOTE
from tests.fakes.store import MemoryDatabase, Statement, Tables
from tests.simulation.commands import APPLICATION, SERVED, manifest, served
from tests.simulation.invariants import GREETER, Invariants
from tests.simulation.outside import SimulatedAnnouncer, SimulatedSource, SimulatedTarget
from tests.simulation.process import Process
from tests.simulation.wire import Link, at_once
from tests.support.virtual_time import VirtualClock

T = TypeVar("T")
# Told of every statement: when it ran, and what came of it, an exception included.
Heard = Callable[[Statement[Any], datetime, Any], None]

GUILD = 42
VERSIONS = ("1", "2", "3", "4", "5")
TICK_S = 0.5
CHECKED = Verify((HttpCheck("/healthz"),), timeout_s=8.0)
PLANS: Mapping[str, tuple[Any, ...]] = {
    "canary": (
        CHECKED,
        Gate("go", "release-manager", 2, 25.0),
        Shift(10, 8.0),
        Soak(4.0),
        Shift(100, 8.0),
        Observe(3.0),
    ),
    "steps": (
        CHECKED,
        Shift(5, 8.0),
        Soak(3.0),
        Gate("more", "release-manager", 1, 20.0),
        Shift(50, 8.0),
        Soak(3.0),
        Shift(100, 8.0),
    ),
    "straight": (CHECKED, Shift(50, 8.0), Soak(3.0), Shift(100, 8.0)),
    "commands": (
        CHECKED,
        Gate("go", "release-manager", 1, 25.0),
        SyncCommands("greeter", "additions", 8.0),
        Shift(50, 8.0),
        Soak(3.0),
        Shift(100, 8.0),
        SyncCommands("greeter", "all", 8.0),
    ),
    "exclusive": (CHECKED, Gate("go", "release-manager", 1, 25.0), Shift(100, 8.0), Observe(4.0)),
}
LANES: Mapping[Lane, str] = {
    Lane("shop", "production"): "canary",
    Lane("mail", "production"): "steps",
    Lane("shop", "staging"): "straight",
    Lane("herald", "production"): "exclusive",
    Lane("greeter", "production"): "commands",
}


@dataclass(frozen=True, slots=True)
class TraceLine:
    at: float
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.at:9.3f}  {self.who:<12} {self.what}"


class Trace:
    """What happened, in order."""

    def __init__(self) -> None:
        self.lines: list[TraceLine] = []

    def say(self, who: str, what: str) -> None:
        self.lines.append(TraceLine(asyncio.get_running_loop().time(), who, what))

    def text(self) -> str:
        return "\n".join(map(str, self.lines))


class SimulatedWorld:
    """Everything that one history plays in. Made inside a `SimulationLoop`."""

    def __init__(self, rng: random.Random, heard: Heard) -> None:
        self.rng = rng
        self.heard = heard
        self.trace = Trace()
        self.faults: Counter[str] = Counter()
        self.catalog = _catalog(rng)
        self.releases: Mapping[str, Sequence[Release]] = {
            service: [_release(service, version) for version in VERSIONS]
            for service in sorted({lane.service for lane in LANES})
        } | {SERVED.service: []}
        self.failing: set[str] = set()  # digests that do not pass their checks
        self.database = Link(rng, "the database", 0.004, times_out_s=1.0)
        self.registry = Link(rng, "the registry", 0.01)
        self.checks = Link(rng, "the candidate", 0.02)
        self.discord = Link(rng, "Discord", 0.1, times_out_s=10.0)
        self.announcer = SimulatedAnnouncer()
        self.memory = MemoryDatabase(VirtualClock().now)
        self.invariants = Invariants(self)
        self.targets = {
            config.target: SimulatedTarget(
                lane,
                Link(rng, f"the target of {lane}", 0.03),
                exclusive=config.policy.exclusive,
                watch=self.invariants.applied,
            )
            for lane, config in self.catalog.lanes.items()
        }
        self.target = {target.lane: target for target in self.targets.values()}
        links = {lane: Link(rng, f"the metrics of {lane}", 0.02) for lane in self.target}
        self.source = SimulatedSource(self.target, links)
        self.processes: list[Process] = []
        self.backups: list[tuple[float, Tables]] = []
        self.tampered: set[Lane] = set()  # lanes with a plan or traffic that someone else changed
        self.restored = 0  # how often the database became an older one
        self._started = 0

    @property
    def lanes(self) -> list[Lane]:
        """Those that people deploy to."""
        return sorted(LANES)

    # ---- the database ----

    @property
    def tables(self) -> Tables:
        return self.memory.tables

    def execute(self, statement: Statement[T]) -> T:
        """Run a statement at the server, and check what must hold after it."""
        before = self.invariants.before(statement)
        try:
            result = statement.run(self.memory.tables, self.memory.now())
        except Exception as error:
            self.heard(statement, self.memory.now(), error)
            raise
        self.heard(statement, self.memory.now(), result)
        self.invariants.after(statement, before, result)
        return result

    @property
    def panic(self) -> bool:
        """Whether the panic stop is on."""
        return self.tables.notes.get((PANIC_NOTE, str(GUILD)), {}).get("on") is True

    def back_up(self) -> None:
        self.backups.append((asyncio.get_running_loop().time(), self.tables.copy()))

    def restore(self, age_s: float) -> bool:
        """The database is what it was about so long ago; False when there is no such backup."""
        now = asyncio.get_running_loop().time()
        old = [tables for at, tables in self.backups if now - at >= age_s]
        if not old:
            return False
        self.memory.tables = old[-1].copy()
        self.database.cut()
        self.invariants.restored()
        self.restored += 1
        return True

    # ---- processes ----

    def start(self) -> Process:
        self._started += 1
        skew_s = self.rng.choice([0.0, 0.0, 0.3, -2.0, 600.0, -600.0])
        drift = self.rng.choice([0.0, 0.0, 1e-4, -1e-4])
        process = Process(self, f"process {self._started}", skew_s, drift)
        self.processes.append(process)
        self.trace.say(process.name, f"starts, its clock {skew_s:+g} s off")
        self.disturbed()
        return process

    @property
    def alive(self) -> list[Process]:
        self.processes = [p for p in self.processes if p.alive or p.tasks]
        return [process for process in self.processes if process.alive]

    def disturbed(self, lane: Lane | None = None) -> None:
        """Something was done to this lane, or to all: it may be slow for a while."""
        self.invariants.disturbed(lane)

    # ---- lanes ----

    def serve(self, *, everywhere: bool = False) -> None:
        """What ran before Slipway first looked: in most lanes something, or `everywhere`."""
        for lane, target in self.target.items():
            if lane in LANES and (everywhere or lane == GREETER or self.rng.random() < 0.9):
                at_once(target.apply(lane, Desired(1, _release(lane.service, "1"))))
                at_once(target.observe(lane))
        at_once(self.target[SERVED].apply(SERVED, Desired(1, served("1"))))
        at_once(self.target[SERVED].observe(SERVED))
        self.tables.manifests[manifest("1").digest] = manifest("1")

    def spoil(self) -> None:
        """Some releases are bad from the start: they answer with errors, crash at start, or fail their checks."""
        for lane in self.lanes:
            target = self.target[lane]
            for version in ("3", "4", "5"):
                digest = _release(lane.service, version).digest
                what = self.rng.choice(["good", "good", "fails", "fails", "dies", "unwell"])
                if what == "fails":
                    target.traffic.fails(digest, self.rng.choice([0.05, 0.3, 1.0]))
                elif what == "dies":
                    target.dies.add(digest)
                elif what == "unwell" and self.rng.random() < 0.5:
                    self.failing.add(digest)

    def reload(self, rng: random.Random) -> str:
        """Another catalog from now on; says what is new."""
        lane = rng.choice(self.lanes)
        was = self.catalog.lanes[lane]
        what = rng.choice(["plan", "policy", "metrics", "roles"])
        new: dict[str, Any] = {
            "plan": lambda: {"plan": Plan("edited", (CHECKED, Shift(100, 8.0)))},
            "policy": lambda: {"policy": replace(was.policy, hold_deadline_s=60.0, rollback_timeout_s=9.0)},
            "metrics": lambda: {"metrics": ()},
            "roles": lambda: {"deploy_roles": ("deployer", "release-manager")},
        }[what]()
        if what == "plan":
            self.tampered.add(lane)
        self.catalog = replace(self.catalog, lanes={**self.catalog.lanes, lane: replace(was, **new)})
        return f"{what} of {lane}"

    def heal(self) -> None:
        """All faults end."""
        for link in (self.database, self.registry, self.checks, self.discord, *self.source.links.values()):
            link.heal()
        for target in self.target.values():
            target.link.heal()
            target.traffic.fails_everywhere(0.0)
        self.source.broken.clear()
        self.announcer.away = False


# Versions that only a person takes back.
IRREVERSIBLE = frozenset({"3"})


def _release(service: str, version: str) -> Release:
    mark = "drops a table" if version in IRREVERSIBLE else ""
    spec = {"command": ["serve", version]}
    return Release(service, version, f"sha256:{service}-{version}", spec=spec, irreversible=mark)


def _catalog(rng: random.Random) -> Catalog:
    lanes = {lane: _lane(rng, lane, plan) for lane, plan in LANES.items()}
    straight = Plan("commands", (Shift(100, 8.0),))
    lanes[SERVED] = replace(_lane(rng, SERVED, "straight"), plan=straight, metrics=(), drift="report")
    guild = GuildConfig(GUILD, "demo", {}, {}, panic_roles=("on-call",))
    return Catalog({GUILD: guild}, lanes, "1", applications={APPLICATION.name: APPLICATION})


def _lane(rng: random.Random, lane: Lane, plan: str) -> LaneConfig:
    judging = judge.JudgePolicy(
        objectives=(judge.Objective("errors", "errors", 0.01), judge.Objective("p99", "latency", 0.01, 1.0)),
        phi=rng.choice([None, 1.0]),
        burst_s=2 * TICK_S,
        min_requests=20,
        planned_ticks=20,
        tick_s=TICK_S,
        settle_s=0.0,
        error_limit_s=2.0,
    )
    policy = Policy(
        judge=judging,
        tick_s=TICK_S,
        hold_deadline_s=20.0,
        hold_outcome=rng.choice(["rollback", "rollback", "wait"]),
        promote_quorum=rng.choice([1, 2]),
        rollback_roles=("on-call", "release-manager"),
        operate_roles=("release-manager", "deployer"),
        rollback_timeout_s=8.0,
        lock_after_rollback=rng.random() < 0.3,
        exclusive=plan == "exclusive",
        notify_roles=("on-call",),
    )
    return LaneConfig(
        lane,
        (GUILD,),
        Plan(plan, PLANS[plan]),
        policy,
        f"target of {lane}",
        ("router",),
        ("deployer",),
        ("release-manager", "deployer"),
        drift=rng.choice(["repair", "report"]),
    )
