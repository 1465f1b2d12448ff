"""Resolution of plans and policies, with mistakes between their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath
from bot.catalog.models.lanes import Preconditions
from bot.catalog.models.plans import STEP_KINDS, UNKNOWN, Step
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.formatting import duration
from bot.domain.judge import judge
from bot.domain.rollout.model import Plan
from bot.domain.rollout.model import Step as PlanStep
from bot.domain.rollout.plans import PlanProblem, check
from bot.values import parse_positive, parse_proportion

Placed = tuple[KeyPath, PlanStep]


def plans(document: Document, sections: Sections) -> dict[str, list[Placed]]:
    """Every plan as steps with their places; mistakes go into `document`."""
    found: dict[str, list[Placed]] = {}
    for name, written in sections.of("plans").items():
        path: KeyPath = ("plans", name)
        places = [sections.original((*path, index)) for index in range(len(written))]
        looked_at = [_is_precondition(document, sections, at, written[i]) for i, at in enumerate(places)]
        steps = [
            (at, _step(document, sections, at, written[i:]))
            for i, at in enumerate(places)
            if not looked_at[i]
        ]
        if any(len(p) == 3 and p[:2] == path for p in sections.spoilt):
            steps.append((path, UNKNOWN))
        _order(document, path, steps)
        found[name] = steps
    return found


def preconditions(sections: Sections) -> dict[str, tuple[KeyPath, Preconditions]]:
    """What must hold before a rollout by each plan starts, with its place; plans without any are left out."""
    found: dict[str, tuple[KeyPath, Preconditions]] = {}
    for name, written in sections.of("plans").items():
        if written and written[0].preconditions is not None:
            found[name] = (*sections.original(("plans", name, 0)), "preconditions"), written[0].preconditions
    return found


def _is_precondition(document: Document, sections: Sections, at: KeyPath, step: Step) -> bool:
    """Whether an entry of a plan is no step of it. Reports one that does not stand first or alone."""
    given = step.preconditions is not None or sections.is_spoilt((*at, "preconditions"))
    if not given:
        return False
    if step.parts:
        document.wrong(at, f"preconditions stand alone, not beside {', '.join(step.parts)}.")
    elif at[-1] != 0:
        document.wrong(at, "preconditions are looked at before a rollout starts.", "Move them to the top.")
    return not step.parts


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """Implements `bot.catalog.models.plans.Surroundings`."""

    document: Document
    sections: Sections
    path: KeyPath
    shift_follows: bool

    @property
    def refers(self) -> bool:
        return any(path[: len(self.path)] == self.path for path in self.document.references)

    def of(self, section: str) -> dict[str, Any]:
        return self.sections.of(section)

    def known(self, section: str) -> set[str]:
        return self.sections.known(section)

    def wrong(self, sentence: str, hint: str = "") -> None:
        self.document.wrong(self.path, sentence, hint)


def _step(document: Document, sections: Sections, at: KeyPath, rest: Sequence[Step]) -> PlanStep:
    """The first step of `rest`, which ends with the last of the plan."""
    given = rest[0].parts
    wrong = [kind for kind in STEP_KINDS if sections.is_spoilt((*at, kind))]
    if not given and wrong:
        return Step.stand_in(wrong[0])
    if len(given) != 1:
        if not sections.is_spoilt(at):
            known = ", ".join(STEP_KINDS)
            document.wrong(at, f"a step must be exactly one of {known}, not {len(given)} of them.")
        return UNKNOWN
    ((kind, part),) = given.items()
    shift_follows = any(step.may_shift for step in rest[1:])
    return part.step(_Surroundings(document, sections, (*at, kind), shift_follows))


def _order(document: Document, path: KeyPath, steps: list[Placed]) -> None:
    """Report the domain's problems with the plan as a whole.

    Next to a shift that could not be read, nothing is reported as missing: it may be in that shift.
    """
    unsure = any(step is UNKNOWN for _, step in steps)
    known = [(at, step) for at, step in steps if step is not UNKNOWN]
    for problem in check(named("", known)):
        if unsure and problem.missing:
            continue
        shifts = [(*at, step.kind) for at, step in known if step.shifts_to is not None]
        at = (shifts or [path])[-1] if problem.step is None else known[problem.step][0]
        document.wrong(at, *_said(problem))


def exclusive_weights(document: Document, steps: list[Placed], service: str) -> None:
    """Report weights between 0 and 100 for an exclusive service, which never runs two releases at once."""
    known = [(at, step) for at, step in steps if step is not UNKNOWN]
    plan = named("", known)
    for problem in set(check(plan, exclusive=True)) - set(check(plan)):
        at = ("plans",) if problem.step is None else known[problem.step][0]
        sentence, hint = _said(problem)
        document.wrong(at, f"{service} is exclusive: {sentence}", hint)


def _said(problem: PlanProblem) -> tuple[str, str]:
    return f"{problem.sentence}.", f"{problem.hint[:1].upper()}{problem.hint[1:]}."


def named(name: str, steps: Iterable[Placed]) -> Plan:
    return Plan(name, tuple(step for _, step in steps))


def policy(
    document: Document, path: KeyPath, written: models.Policy, steps: Iterable[Placed], tick_s: float
) -> judge.JudgePolicy | None:
    """The judge's policy for a plan with a tick every `tick_s` seconds, without invalid parts."""
    objectives = [
        _objective(document, (*path, "objectives", name), name, o) for name, o in written.objectives.items()
    ]
    rules = [_rule(document, (*path, "rules", index), rule) for index, rule in enumerate(written.rules)]
    watched = sum(step.soak_s or 0.0 for _, step in steps)
    try:
        resolved = judge.JudgePolicy(
            objectives=tuple(o for o in objectives if o),
            rules=tuple(r for r in rules if r),
            alpha=written.alpha,
            phi=written.phi,
            burst_s=written.burst,
            min_bad=written.min_bad,
            min_requests=written.min_requests,
            on_common_trouble=written.on_common_trouble,
            on_restart=written.on_restart,
            on_sick_instance=written.on_sick_instance,
            error_limit_s=written.error_limit,
            tick_s=tick_s,
            recent_s=written.recent,
            settle_s=written.settle,
        )
        return replace(resolved, planned_ticks=max(1, round(watched / resolved.block_s)))
    except judge.PolicyError as error:
        document.wrong(path, f"{error}.")
        return None


def _objective(
    document: Document, path: KeyPath, name: str, written: models.Objective
) -> judge.Objective | None:
    kind = written.kind or (name if name in ("errors", "latency") else "proportion")
    at = (*path, "limit") if (*path, "limit") in document.places else path
    try:
        if kind == "latency":
            limit, threshold = round(1 - written.quantile, 12), parse_positive(written.limit)
        else:
            limit, threshold = parse_proportion(written.limit), None
    except ValueError as error:
        document.wrong(at, f'must be {error}, not "{str(written.limit)[:60]}".')
        return None
    try:
        return judge.Objective(
            name,
            kind,  # type: ignore[arg-type]
            limit,
            threshold,
            enforce=written.enforce,
            ratio=written.ratio,
            series=written.series,
            min_requests=written.min_requests,
        )
    except judge.PolicyError as error:
        document.wrong(at, f"{error}.")
        return None


def _rule(document: Document, path: KeyPath, written: models.Rule) -> judge.Rule | None:
    try:
        return judge.parse_rule(written.rule, enforce=written.enforce)
    except judge.RuleError as error:
        document.wrong(path, f"{error}".rstrip("?.") + ".")
        return None


def beyond_buckets(
    document: Document, path: KeyPath, found: judge.JudgePolicy, source: str, bounds: Iterable[float]
) -> None:
    """Report a latency limit above the last finite bound of a source's histogram, which could never be read."""
    last = max(bounds)
    for series in found.series:
        if series.kind == "latency" and series.threshold_s > last:
            limit = f"{duration(series.threshold_s)} is above the last finite bucket of {source}, {duration(last)}"
            document.wrong((*path, *_series_path(document, path, series.name)), f"the limit of {limit}.")


def _series_path(document: Document, path: KeyPath, name: str) -> KeyPath:
    objective: KeyPath = ("objectives", name)
    if (*path, *objective) in document.places:
        return objective
    return ("rules",)
