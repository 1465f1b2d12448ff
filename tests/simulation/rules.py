"""What may happen in a history: deploys, presses, and faults. Each rule is one function, drawn by weight."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from bot.domain.errors import UserError
from bot.domain.rollout.model import Action, Actor, Desired, Lane, Phase, Rollout
from bot.engine.api import ActRequest, DeployRequest, RollbackRequest
from bot.engine.stepper import Contended
from bot.ports.errors import TargetRefused, Unreachable
from tests.simulation.outside import raising
from tests.simulation.process import Process
from tests.simulation.wire import at_once
from tests.simulation.world import GUILD, SimulatedWorld
from tests.support.actors import BOSS, DEV, DEV2, GUEST, LEAD, LEAD2, ONCALL

LAPTOP = Actor(-21, "lead@laptop", DEV.roles, "cli", person=LEAD.id)
RUNNER = Actor(-22, "runner@host", DEV.roles, "cli")  # it could be anyone
PEOPLE = (DEV, DEV2, LEAD, LEAD2, ONCALL, GUEST, BOSS)
LEADS = (LEAD, LEAD2, BOSS)


class People:
    """Everyone who asks something of Slipway. Each request goes to some process, which may die meanwhile."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._numbers = count(1)
        self.requests = 0

    def ask(self, who: Actor, what: str, asked: Callable[[Process], Awaitable[Any]]) -> None:
        """Ask some process that is alive, and do not wait for the answer."""
        alive = [process for process in self._world.alive if process.ready]
        if alive:
            process = self._world.rng.choice(alive)
            self.requests += 1
            process.spawn(self._answer(process, who, what, asked), "request")

    async def _answer(
        self, process: Process, who: Actor, what: str, asked: Callable[[Process], Awaitable[Any]]
    ) -> None:
        trace, label = self._world.trace, f"{who.name}: {what}"
        trace.say("people", f"{label} ({process.name})")
        try:
            await asked(process)
        except UserError as refused:
            trace.say("people", f"→ {label}: {refused.sentence}")
        except (Unreachable, Contended) as error:
            trace.say("people", f"→ {label}: not now ({error})")
        except Exception as error:
            self._world.invariants.fail(
                "every request has an answer", f"{label}: {type(error).__name__}: {error}"
            )

    def deploy(self, who: Actor, lane: Lane, version: str) -> None:
        request = DeployRequest(
            GUILD, who, lane.service, version, lane.environment, interaction=f"i{next(self._numbers)}"
        )
        for _ in range(self._deliveries()):
            self.ask(who, f"/deploy {lane} {version}", lambda process: process.engine.deploy(request))

    def roll_back(self, who: Actor, lane: Lane) -> None:
        number = next(self._numbers)
        request = RollbackRequest(
            GUILD,
            who,
            lane.service,
            lane.environment,
            interaction=f"i{number}",
            confirmed=_confirms(number),
        )
        self.ask(who, f"/rollback {lane}", lambda process: process.engine.roll_back(request))

    def press(
        self, who: Actor, rollout: Rollout, action: Action, step: int | None = None, seal: str = ""
    ) -> None:
        number = next(self._numbers)
        request = ActRequest(
            rollout_id=rollout.id,
            action=action,
            actor=who,
            guild_id=GUILD,
            step=step,
            seal=seal,
            reason="because",
            interaction=f"i{number}",
            confirmed=_confirms(number),
        )
        for _ in range(self._deliveries()):
            if action in (Action.APPROVE, Action.PROMOTE):
                self._world.invariants.voted(rollout, who)
            self.ask(who, f"{action} on #{rollout.id}", lambda process: process.engine.act(request))

    def panic(self, who: Actor, *, on: bool) -> None:
        async def switched(process: Process) -> None:
            await process.engine.panic(GUILD, who, "smoke", on)
            if on:  # one that ends at the same time may still be resuming
                _later(3.0, self._world.invariants.panicked)

        self.ask(who, f"/panic {'on' if on else 'off'}", switched)

    def panic_off(self) -> None:
        self.panic(ONCALL, on=False)

    def settle(self, rollout: Rollout) -> None:
        """What needs a person gets one, so that it ends."""
        if rollout.pause is not None:
            if rollout.pause.panic:
                self.panic_off()
            else:
                self.press(LEAD, rollout, Action.RESUME)
        elif rollout.phase is Phase.HALTED:
            self.press(ONCALL, rollout, Action.CLOSE)
        elif rollout.phase is Phase.HELD:
            self.press(ONCALL, rollout, Action.ROLL_BACK)

    def _deliveries(self) -> int:
        """Discord may deliver an interaction twice."""
        return 2 if self._world.rng.random() < 0.1 else 1


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    weight: int
    apply: Callable[[SimulatedWorld, People, random.Random], None]
    fault: bool = False


def active(world: SimulatedWorld) -> list[Rollout]:
    return [world.tables.rollouts[i].rollout for i in sorted(world.tables.active.values())]


# ---- people ---------------------------------------------------------------------------------------------------------


def deploys(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = rng.choice(world.lanes)
    people.deploy(rng.choice([DEV, DEV, DEV2, BOSS, GUEST, LAPTOP, RUNNER]), lane, rng.choice("12345"))


def approves(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    for rollout in active(world):
        if rollout.phase is Phase.GATED:
            for who in rng.sample(LEADS, 2):
                people.press(who, rollout, Action.APPROVE, rollout.step, rollout.seal)


def presses(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    if found := active(world):
        rollout = rng.choice(found)
        seal = rng.choice([rollout.seal, rollout.seal, "", "another"])
        step = rng.choice([None, rollout.step, rollout.step - 1])
        people.press(rng.choice(PEOPLE), rollout, rng.choice(list(Action)), step, seal)


def crowd(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """Many people at the same time, on the same rollout."""
    if found := active(world):
        rollout = rng.choice(found)
        for _ in range(rng.randint(5, 25)):
            action = rng.choice([Action.APPROVE, Action.APPROVE, Action.PAUSE, Action.RESUME, Action.PROMOTE])
            people.press(rng.choice(PEOPLE), rollout, action, None, rollout.seal)


def resumes(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    for rollout in active(world):
        if rollout.pause is not None:
            people.press(LEAD, rollout, Action.RESUME)


def decides(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """What needs a person gets one."""
    for rollout in active(world):
        if rollout.phase is Phase.HALTED:
            people.press(ONCALL, rollout, rng.choice([Action.ROLL_BACK, Action.ROLL_BACK, Action.CLOSE]))
        elif rollout.phase is Phase.HELD:
            people.press(
                rng.choice(LEADS), rollout, rng.choice([Action.PROMOTE, Action.ROLL_BACK, Action.EXTEND])
            )


def regrets(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """Someone takes back what has traffic, or is on its way to the target."""
    if found := [each for each in active(world) if each.had_traffic]:
        _later(rng.random(), partial(people.press, ONCALL, rng.choice(found), Action.ROLL_BACK))


def returns(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    people.roll_back(ONCALL, rng.choice(world.lanes))


def panics(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    people.panic(ONCALL, on=rng.random() < 0.5)


def unlocks(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    for lane in list(world.tables.locks):
        people.ask(
            LEAD,
            f"/unlock {lane}",
            lambda process, lane=lane: process.engine.unlock(GUILD, LEAD, lane, "fixed"),
        )


# ---- faults ---------------------------------------------------------------------------------------------------------


def kill(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """At once, or at one of the next calls: before it leaves, or between its being carried out and the answer."""
    if alive := world.alive:
        process = rng.choice(alive)
        if rng.random() < 0.3:
            process.kill()
        else:
            process.caller.dies_after = rng.random() < 0.5
            process.caller.dies_in = rng.randint(1, 60)


def start(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    if len(world.alive) < 3:
        world.start()


def database_away(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    _for_a_while(world, rng, world.database, "away", rng.choice([0.5, 3.0, 12.0, 45.0, 90.0]))


def database_hangs(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    _for_a_while(world, rng, world.database, "hanging", rng.choice([1.0, 4.0]))


def database_slow(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    world.database.late_s = rng.choice([0.2, 0.8, 1.5])
    _later(rng.uniform(1.0, 6.0), lambda: setattr(world.database, "late_s", 0.0))
    world.disturbed()


def commit_unsure(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """The statement was carried out, and the answer got lost."""
    world.database.lose = rng.randint(1, 4)
    world.disturbed()


def failover(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """The database comes back as it was a while ago; targets and processes know more than it does."""
    if world.restore(rng.choice([0.0, 2.0, 10.0])):
        world.trace.say("fault", "the database is an older one")
        if rng.random() < 0.5:
            for process in world.alive:
                process.kill()
            world.start()
        _for_a_while(world, rng, world.database, "away", 1.0)


def target_away(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = _hit(world, rng)
    what = rng.choice(["away", "away", "hanging"])
    _for_a_while(world, rng, world.target[lane].link, what, rng.choice([1.0, 4.0, 15.0, 60.0]), lane)


def target_loses_answers(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = _hit(world, rng)
    world.target[lane].link.lose = rng.randint(1, 3)
    world.disturbed(lane)


def target_late(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """Orders arrive long after who sent them gave up."""
    lane = _hit(world, rng)
    world.target[lane].link.late_s = rng.choice([1.0, 5.0, 15.0])
    _later(
        rng.uniform(1.0, 8.0),
        lambda: (setattr(world.target[lane].link, "late_s", 0.0), world.disturbed(lane)),
    )
    world.disturbed(lane)


def target_ahead(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    """Someone else orders the same under newer generations."""
    lane = _hit(world, rng)
    target = world.target[lane]
    if target.desired is not None:
        stable = target.desired.stable
        ahead = Desired(target.generation + rng.randint(1, 5), stable)
        world.invariants.foreign(lane, ahead)
        world.tampered.add(lane)
        at_once_quietly(target.apply(lane, ahead))
        world.disturbed(lane)


def aborts(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = _hit(world, rng)
    world.tampered.add(lane)
    at_once_quietly(world.target[lane].abort(lane, "root", "users complain"))
    world.disturbed(lane)


def crashes(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = _hit(world, rng)
    if runs := sorted(world.target[lane].running(lane) if world.target[lane].desired else ()):
        world.target[lane].crash(lane, rng.choice(runs))
        world.disturbed(lane)


def source_broken(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = _hit(world, rng)
    world.source.broken[lane] = raising(rng)
    _later(rng.uniform(0.5, 30.0), lambda: (world.source.broken.pop(lane, None), world.disturbed(lane)))
    world.disturbed(lane)


def source_hangs(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = _hit(world, rng)
    what = rng.choice(["hanging", "hanging", "away"])
    _for_a_while(world, rng, world.source.links[lane], what, rng.uniform(0.5, 30.0), lane)


def router_restarts(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    world.target[rng.choice(sorted(world.target))].traffic.restart()


def release_is_bad(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = _hit(world, rng)
    digest = f"sha256:{lane.service}-{rng.choice('2345')}"
    world.target[lane].traffic.fails(digest, rng.choice([0.0, 0.05, 0.3, 1.0]))


def common_trouble(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    lane = _hit(world, rng)
    traffic = world.target[lane].traffic
    traffic.fails_everywhere(0.2)
    _later(rng.uniform(1.0, 10.0), lambda: traffic.fails_everywhere(0.0))


def checks_fail(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    digest = f"sha256:{rng.choice(['shop', 'mail', 'herald'])}-{rng.choice('2345')}"
    world.failing.symmetric_difference_update({digest})


def discord_away(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    _for_a_while(world, rng, world.discord, rng.choice(["away", "hanging"]), rng.uniform(1.0, 20.0))


def reload(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    world.trace.say("fault", f"the catalog is reloaded: {world.reload(rng)}")


def backup(world: SimulatedWorld, people: People, rng: random.Random) -> None:
    world.back_up()


def _hit(world: SimulatedWorld, rng: random.Random) -> Lane:
    """A lane for a fault: mostly one with a rollout, where it meets something."""
    busy = sorted(rollout.lane for rollout in active(world))
    return rng.choice(busy if busy and rng.random() < 0.7 else sorted(world.target))


RULES = (
    Rule("deploy", 24, deploys),
    Rule("approve", 22, approves),
    Rule("press", 10, presses),
    Rule("crowd", 3, crowd),
    Rule("resume", 6, resumes),
    Rule("decide", 5, decides),
    Rule("regret", 6, regrets),
    Rule("return to known good", 3, returns),
    Rule("panic", 3, panics),
    Rule("unlock", 6, unlocks),
    Rule("process starts", 6, start),
    Rule("backup", 5, backup),
    Rule("kill", 6, kill, True),
    Rule("database away", 3, database_away, True),
    Rule("database hangs", 2, database_hangs, True),
    Rule("database slow", 3, database_slow, True),
    Rule("commit unsure", 4, commit_unsure, True),
    Rule("older database", 2, failover, True),
    Rule("target away", 4, target_away, True),
    Rule("target loses answers", 4, target_loses_answers, True),
    Rule("orders arrive late", 3, target_late, True),
    Rule("target ahead", 2, target_ahead, True),
    Rule("abort on the machine", 2, aborts, True),
    Rule("release crashes", 2, crashes, True),
    Rule("source raises", 3, source_broken, True),
    Rule("source hangs", 3, source_hangs, True),
    Rule("router restarts", 2, router_restarts, True),
    Rule("bad release", 5, release_is_bad, True),
    Rule("common trouble", 2, common_trouble, True),
    Rule("checks fail", 2, checks_fail, True),
    Rule("Discord away", 2, discord_away, True),
    Rule("catalog reload", 2, reload, True),
)


def _confirms(number: int) -> bool:
    """Whether a person knows that the release is irreversible: two of three do."""
    return number % 3 != 0


def at_once_quietly(coro: Any) -> None:
    with contextlib.suppress(TargetRefused):
        at_once(coro)


def _later(seconds: float, what: Callable[[], Any]) -> None:
    asyncio.get_running_loop().call_later(seconds, what)


def _for_a_while(
    world: SimulatedWorld, rng: random.Random, link: Any, what: str, seconds: float, lane: Lane | None = None
) -> None:
    setattr(link, what, True)
    world.trace.say("fault", f"{link.name} is {what} for {seconds:.1f} s")

    def over() -> None:
        setattr(link, what, False)
        world.trace.say("fault", f"{link.name} is no longer {what}")
        world.disturbed(lane)

    world.disturbed(lane)
    _later(seconds, over)
