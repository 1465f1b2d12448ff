"""Plans and policies of the catalog become those of the domain; what makes no sense in them is reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.validate import Sections
from bot.catalog.yaml_source import Document
from bot.domain.formatting import duration
from bot.domain.judge import judge
from bot.domain.rollout.model import Gate, HttpCheck, Observe, Plan, Shift, Soak, Step, SyncCommands, Verify
from bot.domain.rollout.plans import PlanProblem, check
from bot.values import parse_positive, parse_proportion

Placed = tuple[KeyPath, Step]

_OF_WHAT_IS_MISSING = ("no soak between", "before any traffic")

# Stands for a step of which not even the weight is known; never leaves a catalog with mistakes.
UNKNOWN = Shift(-1)
UNKNOWN_GATE = Gate("?", "?")
_STAND_INS: Mapping[str, Step] = {
    "verify": Verify(),
    "gate": UNKNOWN_GATE,
    "soak": Soak(1.0),
    "observe": Observe(1.0),
    "sync_commands": SyncCommands("?"),
}


def plans(document: Document, sections: Sections) -> dict[str, list[Placed]]:
    """Every plan as steps with their places; mistakes go into `document`."""
    found: dict[str, list[Placed]] = {}
    for name, written in sections.of("plans").items():
        path: KeyPath = ("plans", name)
        places = [sections.original((*path, index)) for index in range(len(written))]
        steps = [(at, _step(document, sections, at, s)) for at, s in zip(places, written, strict=True)]
        steps = _modes(steps, written)
        if any(len(p) == 3 and p[:2] == path for p in sections.spoilt):
            steps.append((path, UNKNOWN))
        _order(document, path, steps)
        found[name] = steps
    return found


def _modes(steps: list[Placed], written: Sequence[models.Step]) -> list[Placed]:
    """Slash commands whose mode nobody said: only additions as long as the release does not serve everything."""
    last = max((i for i, (_, step) in enumerate(steps) if isinstance(step, Shift)), default=-1)
    return [
        (at, replace(step, mode="additions"))
        if isinstance(step, SyncCommands) and said.sync_commands and not said.sync_commands.mode and i < last
        else (at, step)
        for i, ((at, step), said) in enumerate(zip(steps, written, strict=True))
    ]


def _step(document: Document, sections: Sections, at: KeyPath, step: models.Step) -> Step:
    given = [name for name in models.Step.model_fields if getattr(step, name) is not None]
    wrong = [name for name in _STAND_INS if sections.is_spoilt((*at, name))]
    if not given and wrong:
        return _STAND_INS[wrong[0]]
    if len(given) != 1:
        if not sections.is_spoilt(at):
            known = ", ".join(models.Step.model_fields)
            document.wrong(at, f"a step is exactly one of {known}, not {len(given)} of them.")
        return UNKNOWN
    return _made(document, sections, at, getattr(step, given[0]))


def _made(document: Document, sections: Sections, at: KeyPath, step: object) -> Step:
    match step:
        case models.VerifyStep() as verify:
            checks = tuple(HttpCheck(c.path, c.status, c.contains, c.timeout) for c in verify.checks)
            return Verify(checks, verify.timeout)
        case models.ShiftStep() as shift:
            return Shift(shift.weight, shift.timeout)
        case models.SoakStep() as soak:
            return Soak(soak.duration)
        case models.ObserveStep() as observe:
            return Observe(observe.duration)
        case models.SyncCommandsStep() as sync:
            known = sections.known("applications")
            if sync.application not in known:
                sentence = f'there is no application "{sync.application}".'
                document.wrong((*at, "sync_commands"), sentence, nearest(sync.application, known))
            return SyncCommands(sync.application, sync.mode or "all", sync.timeout)
        case models.GateStep() as gate:
            return _gate(document, sections, (*at, "gate"), gate)
        case _:
            raise TypeError(f"{step!r} is no step")


def _gate(document: Document, sections: Sections, at: KeyPath, step: models.GateStep) -> Step:
    approval: models.Approval | None = None
    if step.approval is not None:
        if step.approval not in sections.known("approvals"):
            hint = nearest(step.approval, sections.known("approvals"))
            document.wrong(at, f'there is no approval "{step.approval}".', hint)
            return UNKNOWN_GATE
        approval = sections.of("approvals").get(step.approval)
        if approval is None:
            return UNKNOWN_GATE
    role = step.role or (approval.role if approval else None)
    if role is None:
        document.wrong(at, "a gate needs a role, or the name of an approval.")
        return UNKNOWN_GATE
    base = approval or models.Approval(role=role)
    return Gate(
        name=step.name or step.approval or "approval",
        role=role,
        quorum=step.quorum or base.quorum,
        expires_s=step.expires or base.expires,
        allow_requester=base.allow_requester if step.allow_requester is None else step.allow_requester,
    )


def _order(document: Document, path: KeyPath, steps: list[Placed]) -> None:
    """What the domain finds wrong with the plan as a whole.

    Around a shift that could not be read nothing is said about what is missing: it may be what was meant.
    """
    unsure = any(step is UNKNOWN for _, step in steps)
    known = [(at, step) for at, step in steps if step is not UNKNOWN]
    for problem in check(named("", known)):
        if unsure and (
            problem.step is None or any(words in problem.sentence for words in _OF_WHAT_IS_MISSING)
        ):
            continue
        shifts = [(*at, "shift") for at, step in known if isinstance(step, Shift)]
        at = (shifts or [path])[-1] if problem.step is None else known[problem.step][0]
        document.wrong(at, *_said(problem))


def exclusive_weights(document: Document, steps: list[Placed], service: str) -> None:
    """An exclusive service never runs two releases at once, so no share of traffic lies between 0 and 100."""
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
    """The judge's policy for a plan that is looked at every `tick_s` seconds, without what is wrong in it."""
    objectives = [
        _objective(document, (*path, "objectives", name), name, o) for name, o in written.objectives.items()
    ]
    rules = [_rule(document, (*path, "rules", index), rule) for index, rule in enumerate(written.rules)]
    watched = sum(s.duration_s for _, s in steps if isinstance(s, Soak | Observe))
    try:
        return judge.JudgePolicy(
            objectives=tuple(o for o in objectives if o),
            rules=tuple(r for r in rules if r),
            alpha=written.alpha,
            phi=written.phi,
            min_bad=written.min_bad,
            min_requests=written.min_requests,
            planned_ticks=max(1, round(watched / tick_s)),
            on_common_trouble=written.on_common_trouble,
            on_restart=written.on_restart,
            error_limit_s=written.error_limit,
            tick_s=tick_s,
            recent_s=written.recent,
            settle_s=written.settle,
        )
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
    """A latency limit above the last finite bound of a source's histogram can never be read."""
    last = max(bounds)
    for series in found.series:
        if series.kind == "latency" and series.threshold_s > last:
            limit = f"{duration(series.threshold_s)} lies above the last finite bucket of {source}, {duration(last)}"
            document.wrong((*path, *_series_path(document, path, series.name)), f"the limit of {limit}.")


def _series_path(document: Document, path: KeyPath, name: str) -> KeyPath:
    objective: KeyPath = ("objectives", name)
    if (*path, *objective) in document.places:
        return objective
    return ("rules",)
