"""What must hold after every event: the nine invariants of `docs/simulation.md`, and that no code fails unseen.

Nothing here uses what the engine believes where the simulated world knows better: weights are those that users see,
times are the server's, and votes are those that people cast.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bot.domain.errors import IllegalTransition, UserError
from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.history.replay import JudgedTick, replayed, same
from bot.domain.judge.judge import Outcome
from bot.domain.records import Claimed, Judged, LaneRow, RolloutChange
from bot.domain.rollout.events import Acted, Measured, Notify, SetDesired, Transition
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action, Actor, Desired, Lane, Phase, Release, Rollout
from bot.domain.rollout.steps import Gate
from bot.domain.rollout.steps.gate import needed
from tests.fakes.store import Statement
from tests.simulation.commands import SERVED, manifest
from tests.support.actors import ONCALL
from tests.support.virtual_time import EPOCH, VirtualClock

if TYPE_CHECKING:
    from tests.simulation.world import SimulatedWorld

GREETER = Lane("greeter", "production")

# Clocks may differ by what a question to the server takes, and what is on its way arrives late.
_TOLERANCE = timedelta(seconds=1.0)
# A lane that nothing was done to for so long owes its judge a tick, and its rollbacks an end, in time.
_SETTLED_S = 8.0
_LATEST_TICK_S, _LATEST_ROLLBACK_S = 3.0, 5.0
_HEARD_WITHIN = 10  # measurements
_DEAF = (Phase.ROLLING_BACK, Phase.HALTED)


@dataclass(frozen=True, slots=True)
class Violation:
    at: float
    invariant: str
    sentence: str

    def __str__(self) -> str:
        return f"at {self.at:.3f} s: {self.invariant}: {self.sentence}"


Ordered = tuple[Lane, int, str, str, int]


def _given_up(claim: Claimed) -> str:
    """Without its key, which is random."""
    return f"{claim.effect.kind} of {claim.lane}"


class Invariants:
    """Listens to every statement of the database and every order that a target takes."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self.violations: list[Violation] = []
        self.events = 0
        self.phases: Counter[Phase] = Counter()
        self.votes: defaultdict[tuple[int, str], dict[int, list[float]]] = defaultdict(dict)
        self._ordered: set[Ordered] = set()
        self._zero: defaultdict[Lane, dict[str, int]] = defaultdict(dict)
        self._soaks: dict[tuple[int, int], float] = {}
        self._ticked: dict[int, float] = {}
        self._turned: dict[int, float] = {}
        self._disturbed: defaultdict[Lane | None, float] = defaultdict(float)

    def fail(self, invariant: str, sentence: str) -> None:
        found = Violation(self._now, invariant, sentence)
        self.violations.append(found)
        self._world.trace.say("VIOLATION", f"{invariant}: {sentence}")

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # ---- what is told from elsewhere ----

    def disturbed(self, lane: Lane | None) -> None:
        self._disturbed[lane] = self._now

    def voted(self, rollout: Rollout, actor: Actor) -> None:
        """Someone presses Approve, whatever becomes of it."""
        self.votes[rollout.id, rollout.seal].setdefault(actor.id, []).append(self._now)

    def foreign(self, lane: Lane, desired: Desired) -> None:
        """Someone else orders something, or the target is ahead of the database: not what we must answer for."""
        self._ordered.add(_key(lane, desired))
        self._zero[lane].clear()

    def restored(self) -> None:
        """What was promised after the backup was made is forgotten."""
        self._zero.clear()
        self._soaks.clear()
        self._ticked.clear()
        self._turned.clear()
        self.disturbed(None)

    def applied(self, lane: Lane, desired: Desired) -> None:
        """A target took an order."""
        self.events += 1
        if _key(lane, desired) not in self._ordered and desired.generation > 1:
            self.fail("persist, then act", f"{lane} got {_words(desired)}, which is not recorded")
        self.weights(lane)

    def weights(self, lane: Lane) -> None:
        """5: what was rolled back has no traffic, and gets none."""
        for digest, rollout_id in self._zero[lane].items():
            weight = self._world.target[lane].weights().get(digest, 0)
            if weight:
                self.fail(
                    "5 rolled back is off",
                    f"{digest} has {weight}% after rollout {rollout_id} was rolled back",
                )

    # ---- statements ----

    def before(self, statement: Statement[Any]) -> Rollout | None:
        if statement.name != "save":
            return None
        row = self._world.tables.rollouts.get(statement.args[0].rollout.id)
        return row.rollout if row else None

    def after(self, statement: Statement[Any], before: Rollout | None, result: Any) -> None:
        self.events += 1
        match statement.part, statement.name:
            case "rollouts", "save" if result:
                change: RolloutChange = statement.args[0]
                self._saved(before if change.before is not None else None, change)
            case "ticks", "save_ticks":
                for tick in statement.args[0]:
                    if tick.rollout.id in result:
                        self._quiet(tick)
            case "effects", "order":
                row: LaneRow = statement.args[0]
                self._ordered.add(_key(row.lane, row.desired))
                self._world.trace.say(
                    "database", f"{row.lane} is to have {_words(row.desired)}: {statement.args[3].why}"
                )
            case "command_history", "took_over" if result:
                taken: LaneRow = statement.args[0]
                self._ordered.add(_key(taken.lane, taken.desired))
                said = f"{_words(taken.desired)}: {statement.args[2].why}"
                self._world.trace.say("database", f"{taken.lane} is to have {said}")
            case "effects", "poison":
                self._world.trace.say(
                    "database", f"gives up {_given_up(statement.args[0])}: {statement.args[1].error}"
                )
            case "housekeeping" | "timers" | "notes" | "history", _:
                pass

    def _quiet(self, tick: Judged) -> None:
        self._tick(tick.rollout)
        was, now = tick.before.version, tick.rollout.version
        if now != was + 1:
            self.fail("versions", f"rollout {tick.rollout.id} went from {was} to {now}")

    def _saved(self, before: Rollout | None, change: RolloutChange) -> None:
        after = change.rollout
        self.phases[after.phase] += 1
        for line in change.transitions:
            self._world.trace.say(
                "database", f"#{after.id} {after.lane} {line.actor.name}: {line.why} [{line.to_phase}]"
            )
        desires = [effect.desired for effect in change.effects if isinstance(effect, SetDesired)]
        self._ordered.update(_key(after.lane, desired) for desired in desires)
        if before is None or after.phase is not before.phase or after.step != before.step:
            self._can_go_back(after)
        self._by_people_alone(before, change)
        self._only_pass_moves_forward(before, change)
        self._one_active(after)
        self._approved(before, change, desires)
        self._ends_well(before, change)
        self._halted(before, change)
        self._audited(before, change)
        self._in_time(before, change)
        self._judged(before, change)
        self._stopped(before, after)

    # ---- 1 ----

    def _can_go_back(self, rollout: Rollout) -> None:
        if rollout.phase.final:
            return
        at = VirtualClock().now()
        try:
            after = machine.step(rollout, Acted(Action.ROLL_BACK, ONCALL, at, confirmed=True)).rollout
        except (UserError, IllegalTransition) as error:
            self.fail(
                "1 can go back", f"rollout {rollout.id} in {rollout.phase} cannot be rolled back: {error}"
            )
            return
        back = Phase.ROLLING_BACK if rollout.stable else Phase.HALTED
        if after.phase is not (back if rollout.had_traffic else Phase.CANCELLED):
            self.fail(
                "1 can go back", f"a rollback of {rollout.id} leads from {rollout.phase} to {after.phase}"
            )
        if rollout.had_traffic and not rollout.known_good and rollout.phase not in _DEAF:
            heard = _nothing_but_failures(rollout, at + timedelta(hours=1))
            if rollout.candidate.irreversible:
                self._left_to_people(rollout, heard)
            elif heard.phase is not back:
                self.fail(
                    "1 the judge is heard",
                    f"FAIL leads rollout {rollout.id} from {rollout.phase} to {heard.phase}",
                )

    # ---- 9 ----

    def _left_to_people(self, rollout: Rollout, heard: Rollout) -> None:
        decided = rollout.verdict is not None and rollout.verdict.outcome is Outcome.FAIL
        stopped = heard.phase in (Phase.HELD, Phase.HALTED) and heard.weight == rollout.weight
        if not decided and not stopped:
            self.fail(
                "1 the judge is heard",
                f"FAIL leads irreversible rollout {rollout.id} from {rollout.phase} to {heard.phase}",
            )

    def _by_people_alone(self, before: Rollout | None, change: RolloutChange) -> None:
        """An irreversible release that had traffic goes back by people alone, and they are called."""
        after = change.rollout
        if before is None or not before.had_traffic or not before.candidate.irreversible:
            return
        turning = [t for t in change.transitions if t.to_phase == Phase.ROLLING_BACK != t.from_phase]
        if any(line.actor.via == "system" for line in turning):
            self.fail("9 people take it back", f"irreversible rollout {after.id} went back by itself")
        waits = after.hold is not None and after.hold.for_people
        waited = before.hold is not None and before.hold.for_people
        called = any(isinstance(e, Notify) and e.what == "irreversible" for e in change.effects)
        if waits and not waited and not called:
            self.fail("9 people take it back", f"irreversible rollout {after.id} fails, and no one is called")
        if waited and not waits and change.transitions[0].actor.via == "system":
            self.fail("9 people take it back", f"rollout {after.id} ended its hold by itself")

    # ---- 2 ----

    def _only_pass_moves_forward(self, before: Rollout | None, change: RolloutChange) -> None:
        after, told = change.rollout, [line.what for line in change.transitions]
        if before is None or before.step != after.step:
            self._soaks[after.id, after.step] = self._now
        if before is None or after.known_good or after.step <= before.step:
            return
        left = [i for i in range(before.step, after.step) if after.plan.steps[i].soak_s is not None]
        waited = int(
            before.step_done and before.verdict is not None and before.verdict.outcome is Outcome.PASS
        )
        if len(left) > told.count("judged_pass") + told.count("promoted") + waited:
            self.fail("2 only PASS moves forward", f"rollout {after.id} left step {before.step} by {told}")
        if before.pause is not None and "resumed" not in told:
            self.fail("2 only PASS moves forward", f"rollout {after.id} moved on while paused")
        for step in left:
            soak_s, began = after.plan.steps[step].soak_s, self._soaks.get((after.id, step))
            if soak_s is not None and began is not None and "promoted" not in told:
                # Its beginning may be saved late, but only where something is wrong with the database.
                took_s = self._now - began
                if took_s < soak_s - 2 * after.policy.tick_s and self._calm_for(after.lane) > took_s + 5.0:
                    self.fail(
                        "2 only PASS moves forward",
                        f"a soak of {soak_s:g} s of {after.id} took {took_s:.2f} s",
                    )

    def _judged(self, before: Rollout | None, change: RolloutChange) -> None:
        """The judge against what the traffic really is."""
        rollout, told = change.rollout, [line.what for line in change.transitions]
        traffic = self._world.target[rollout.lane].traffic
        digest = rollout.candidate.digest
        if "judged_fail" in told and traffic.innocent(digest, self._began(rollout)):
            self.fail("2 no innocent is failed", f"rollout {rollout.id}: {rollout.outcome}")
        began = self._soaks.get((rollout.id, before.step), -1.0) if before is not None else -1.0
        if "judged_pass" in told and traffic.guilty(digest, began):
            self.fail("2 only PASS moves forward", f"rollout {rollout.id}: {digest} fails and got PASS")

    def _began(self, rollout: Rollout) -> float:
        return (rollout.created_at - EPOCH).total_seconds()

    def _stopped(self, before: Rollout | None, after: Rollout) -> None:
        if before is None and not after.known_good and self._world.panic:
            self.fail("the panic stop stops", f"rollout {after.id} began under it")

    def panicked(self) -> None:
        """The panic stop was answered a moment ago: nothing moves forward."""
        for rollout_id in self._world.tables.active.values() if self._world.panic else ():
            rollout = self._world.tables.rollouts[rollout_id].rollout
            going = rollout.phase in machine.GOING and rollout.pause is None and not rollout.known_good
            if going and self._calm_for(rollout.lane) > 4.0:
                self.fail("the panic stop stops", f"rollout {rollout_id} is {rollout.phase} and not paused")

    # ---- 3 ----

    def _one_active(self, rollout: Rollout) -> None:
        rows = self._world.tables.rollouts.values()
        active = [r.rollout.id for r in rows if r.rollout.lane == rollout.lane and not r.rollout.phase.final]
        if len(active) > 1:
            self.fail("3 one active rollout", f"{rollout.lane} has {active}")

    # ---- 4 ----

    def _approved(self, before: Rollout | None, change: RolloutChange, desires: Sequence[Desired]) -> None:
        after = change.rollout
        for approval in after.approvals if before is None or after.step == before.step else ():
            if before is None or approval not in before.approvals:
                self._vote_counts(after, before, approval.actor_id, (approval.at - EPOCH).total_seconds())
        traffic = any(d.weight > 0 or _is(d.stable, after.candidate) for d in desires)
        if after.known_good or not traffic:
            return
        for index, gate in enumerate(after.plan.steps[: after.step]):
            if isinstance(gate, Gate):
                voters = {grant.actor_id for g in after.grants if g.step == index for grant in g.approvals}
                cast = {person for person in voters if person in self.votes[after.id, after.seal]}
                cast -= set() if gate.allow_requester else {after.requester.id, after.requester.person}
                if len(cast) < needed(after, gate):
                    self.fail(
                        "4 quorum",
                        f"rollout {after.id} shifts with {len(cast)} of {needed(after, gate)} votes at {gate.name}",
                    )

    def _vote_counts(self, after: Rollout, before: Rollout | None, person: int, at: float) -> None:
        cast = self.votes[after.id, after.seal].get(person, ())
        off = min((abs(press - at) for press in cast), default=None)
        if off is None:
            self.fail("4 quorum", f"rollout {after.id} counts a vote of {person}, who cast none")
        elif off > _TOLERANCE.total_seconds():
            self.fail("4 quorum", f"a vote on rollout {after.id} is dated {off:.1f} s off")

    # ---- 5 ----

    def _ends_well(self, before: Rollout | None, change: RolloutChange) -> None:
        rollout = change.rollout
        if before is None:
            self._zero[rollout.lane].pop(rollout.candidate.digest, None)
        weight = self._world.target[rollout.lane].weights().get(rollout.candidate.digest, 0)
        ended = before is not None and before.phase is not rollout.phase
        if ended and rollout.phase is Phase.ROLLED_BACK:
            if weight:
                self.fail(
                    "5 rolled back is off",
                    f"rollout {rollout.id} is rolled back, its candidate has {weight}%",
                )
            self._zero[rollout.lane][rollout.candidate.digest] = rollout.id
        if (
            ended
            and rollout.phase is Phase.SUCCEEDED
            and self._calm_for(rollout.lane) > 2.0
            and weight != 100
        ):
            self.fail("5 succeeded serves", f"rollout {rollout.id} succeeded, its candidate has {weight}%")

    # ---- 6 ----

    def _halted(self, before: Rollout | None, change: RolloutChange) -> None:
        told = [line.what for line in change.transitions]
        called = any(isinstance(e, Notify) and e.what == "halted" and e.mention_roles for e in change.effects)
        if "halted" in told and not called:
            self.fail("6 people are called", f"rollout {change.rollout.id} is halted, and no one is called")
        left = (
            before is not None and before.phase is Phase.HALTED and change.rollout.phase is not Phase.HALTED
        )
        if left and change.transitions[0].actor.via == "system":
            self.fail("6 a person ends it", f"rollout {change.rollout.id} left HALTED by itself")

    # ---- 7 ----

    def _audited(self, before: Rollout | None, change: RolloutChange) -> None:
        after, lines = change.rollout, change.transitions
        of = f"rollout {after.id}"
        if before is None or after.phase is not before.phase or after.step != before.step:
            began = before.phase if before is not None else Phase.VERIFYING
            if not lines:
                self.fail("7 audit", f"{of} went to {after.phase}, step {after.step}, without a line")
            elif lines[0].from_phase != began or lines[-1].to_phase != after.phase:
                self.fail("7 audit", f"{of}: the lines go from {lines[0].from_phase} to {lines[-1].to_phase}")
        if any(a.to_phase != b.from_phase for a, b in pairwise(lines)):
            self.fail("7 audit", f"{of}: the lines have a gap: {[line.to_phase for line in lines]}")
        for line in lines:
            self._line(of, line)

    def _line(self, of: str, line: Transition) -> None:
        if not (line.actor.name and line.what and line.why):
            self.fail("7 audit", f"{of}: a line without who, when or why: {line}")
        ahead = line.at - VirtualClock().now()
        if ahead > _TOLERANCE:
            self.fail("7 audit", f"{of}: '{line.why}' is dated {ahead.total_seconds():.1f} s ahead")

    def commands(self) -> None:
        """In peace, Discord has the slash commands of the release that serves, and of no other."""
        world, tables = self._world, self._world.tables
        row = tables.lanes.get(GREETER)
        ends = [r.rollout for r in tables.rollouts.values() if r.rollout.lane == GREETER]
        closed = any(r.phase is Phase.CANCELLED and r.had_traffic for r in ends)
        given_up = any(e.state == "poisoned" and e.lane == GREETER for e in tables.effects.values())
        if world.restored or closed or given_up or world.tampered & {GREETER, SERVED}:
            return
        desired = world.target[SERVED].desired
        if row is None or row.desired.stable is None or desired is None or desired.stable is None:
            return
        version = row.desired.stable.version
        if desired.stable.digest != manifest(version).digest:
            self.fail("syncs are superseded", f"{version} serves, and Discord has {desired.stable.version}")

    # ---- 8, and time ----

    def verdicts_can_be_opened(self) -> None:
        """A replay of the ticks that are kept gives the state that the judge had last."""
        kept: defaultdict[int, list[JudgedTick]] = defaultdict(list)
        for rollout_id, point in self._world.tables.samples:
            if point.judged is not None:
                kept[rollout_id].append(point.judged)
        for rollout_id, ticks in kept.items():
            rollout = self._world.tables.rollouts[rollout_id].rollout
            *_, last = replayed(rollout.policy.judge, ticks)
            if rollout.judge_state is None or not same(last, rollout.judge_state):
                self.fail(
                    "verdicts can be opened", f"{len(ticks)} ticks of rollout {rollout_id} give another"
                )

    def _in_time(self, before: Rollout | None, change: RolloutChange) -> None:
        rollout, told = change.rollout, {line.what for line in change.transitions}
        if change.tick_at is not None and before is not None and machine_judges(before):
            self._tick(rollout)
        if rollout.phase is Phase.ROLLING_BACK:
            self._turned.setdefault(rollout.id, self._now)
        else:
            self._turned.pop(rollout.id, None)
        if before is None:
            return
        due = {"gate_expired": before.deadline, "hold_expired": before.hold and before.hold.deadline}
        for what, at in due.items():
            if what in told and at is not None and at > VirtualClock().now() + _TOLERANCE:
                early = (at - VirtualClock().now()).total_seconds()
                self.fail("timers in server time", f"rollout {rollout.id}: {what} {early:.1f} s early")

    def _tick(self, rollout: Rollout) -> None:
        self._ticked[rollout.id] = self._now

    def delays(self) -> None:
        """8: in a lane that is well, ticks and rollbacks are in time, whatever is wrong elsewhere."""
        tables = self._world.tables
        for lane, rollout_id in tables.active.items():
            calm_s, row = self._calm_for(lane), tables.rollouts[rollout_id]
            if row.next_tick is None:
                self._ticked[rollout_id] = self._now
            waits = self._now - self._ticked.get(rollout_id, self._now)
            if calm_s > _SETTLED_S and waits > _LATEST_TICK_S:
                self.fail("8 lanes are apart", f"{lane} was not judged for {waits:.1f} s")
            turns = self._now - self._turned.get(rollout_id, self._now)
            stable = row.rollout.stable
            starts = stable is None or stable.digest not in self._world.target[lane].dies
            if starts and calm_s > _SETTLED_S + turns and turns > _LATEST_ROLLBACK_S:
                self.fail("8 lanes are apart", f"the rollback of {lane} takes {turns:.1f} s")

    def _calm_for(self, lane: Lane) -> float:
        """For how long nothing was wrong with this lane, or with what all lanes share."""
        world = self._world
        shared = (world.database, world.checks)
        if any(link.troubled for link in shared) or not world.alive:
            self.disturbed(None)
        if (
            world.target[lane].link.troubled
            or world.source.links[lane].troubled
            or lane in world.source.broken
        ):
            self.disturbed(lane)
        return self._now - max(self._disturbed[None], self._disturbed[lane])


def machine_judges(rollout: Rollout) -> bool:
    return rollout.judge_state is not None and rollout.had_traffic


def _key(lane: Lane, desired: Desired) -> Ordered:
    stable, candidate = desired.stable, desired.candidate
    return (
        lane,
        desired.generation,
        stable.digest if stable else "",
        candidate.digest if candidate else "",
        desired.weight,
    )


def _is(one: Release | None, other: Release) -> bool:
    return one is not None and one.digest == other.digest


def _words(desired: Desired) -> str:
    candidate = f", {desired.candidate.version} {desired.weight}%" if desired.candidate else ""
    stable = desired.stable.version if desired.stable else "nothing"
    return f"{stable} stable{candidate} (generation {desired.generation})"


def _nothing_but_failures(rollout: Rollout, at: datetime) -> Rollout:
    """The rollout after measurements in which every request of the candidate failed, and none of stable.

    Six are enough, or seven when stable alone had failed before: then the comparison begins from what it held back.
    """
    counts = {"errors": Counts(10_000, 10_000)}, {"errors": Counts(10_000, 0)}
    for number in range(_HEARD_WITHIN):
        later = at + number * timedelta(minutes=1)
        rollout = machine.step(rollout, Measured(later, Tick(later.timestamp(), 1.0, *counts))).rollout
        if rollout.phase in _DEAF or rollout.phase.final:
            break
    return rollout
