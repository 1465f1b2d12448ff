"""Contract of a kind of step: what it supplies, and what its functions are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

from bot.domain.rollout.events import StepEffect
from bot.domain.rollout.model import Phase, Rollout, Step
from bot.domain.rollout.step_builder import StepBuilder
from bot.domain.rollout.wording import Wording

S = TypeVar("S", bound=Step)


class StepStatus(Enum):
    """State of a step that has not failed."""

    WAITING = "waiting"  # for an outcome, a person or the judge
    DONE = "done"  # the rollout continues, or while paused notes that it may


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The rollout turns back. `what` names the audit line; `why` is a clause that follows a colon."""

    what: str
    why: str


StepResult = StepStatus | StepFailed
WAITING, DONE = StepStatus.WAITING, StepStatus.DONE


class StepProblem(NamedTuple):
    """A mistake in a step or in its place. `hint` says what would be right.

    missing: something is not there; it may stand in an entry that could not be read.
    """

    sentence: str
    hint: str
    missing: bool = False


class StepWords(NamedTuple):
    """The card's headline (two or three words) and sentence while a step waits for its outcome."""

    title: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Place:
    """A step's place in its plan. `exclusive`: two releases of the service never run at once."""

    steps: Sequence[Step]
    index: int
    exclusive: bool = False

    @property
    def before(self) -> Sequence[Step]:
        return self.steps[: self.index]

    @property
    def after(self) -> Sequence[Step]:
        return self.steps[self.index + 1 :]

    @property
    def weight(self) -> int:
        """The candidate's share of the traffic when the step begins, in per cent."""
        return max([0, *(step.shifts_to or 0 for step in self.before)])

    @property
    def soaked(self) -> bool:
        """Whether the candidate was judged since traffic was last moved; true before the first shift."""
        for step in reversed(self.before):
            if step.soak_s is not None:
                return True
            if step.shifts_to is not None:
                return False
        return True


def _none(*_: object) -> tuple[Any, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKind(Generic[S]):
    """One kind of step, as functions over its dataclass.

    step: the frozen dataclass; its field `kind` has the kind's name as default, and its fields are what is stored.
    problems: mistakes in its figures, then in its place; may be asked of figures that make no sense.
    describe, mark: the step in one line without a full stop (dry run), and in a word or two (row on the card).
    words: the card's headline while it waits for an outcome of this step; by default that of the phase.
    enter: begin the step: set the phase, order effects, tell what happens.
    outcomes: handlers of answers, by what they answer: `applied` or the kind of an effect.
    effects: the classes of its own effects, by kind.
    undo: what a rollback orders, given the rollout and its begun steps of this kind, in the plan's order.
    on_return: the steps that a return to a known-good release takes along, given all of this kind in the usual plan.
    watched: the phase in which the judge's PASS ends the step, for kinds with `soak_s`.
    """

    step: type[S]
    problems: Callable[[S, Place], Iterator[StepProblem]]
    describe: Callable[[S, Wording], str]
    mark: Callable[[S, Wording], str]
    enter: Callable[[StepBuilder, S], StepStatus]
    words: Callable[[S, Wording], StepWords] | None = None
    outcomes: Mapping[str, Callable[[StepBuilder, S, Any], StepResult]] = field(default_factory=dict)
    effects: Mapping[str, type[StepEffect]] = field(default_factory=dict)
    undo: Callable[[Rollout, Sequence[S]], Iterable[StepEffect]] = _none
    on_return: Callable[[Sequence[S]], Iterable[Step]] = _none
    watched: Phase | None = None


def not_positive(name: str, seconds: float) -> Iterator[StepProblem]:
    """A problem when a time is not above zero."""
    if not seconds > 0:
        yield StepProblem(f"{name} of {seconds:g} s", "more than 0 s")
