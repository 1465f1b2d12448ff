"""Resolution of what is watched in a lane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath, nearest
from bot.catalog.resolution.layers import Layers
from bot.catalog.yaml_source import Document
from bot.domain.formatting import duration
from bot.domain.judge import judge
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.escalation import RESPONDERS, STEPS, AlertPolicy, EscalationStep, Responder
from bot.domain.watch.alerts.findings import Severity, severity_of
from bot.domain.watch.default_rules import PROFILES
from bot.domain.watch.incidents.targets import TARGETS, IncidentPolicy, ResponseTarget
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.rules import WatchRule

_REMEDY = {
    "gateway": "Add a check of kind discord with the key gateway, or gateway: to a probe of its metrics.",
    "health": "Add a critical check that is asked often enough, such as every: 10s.",
}
_EXTRA = "Add it to extra: of one of its metrics."


class ReportedSignals(NamedTuple):
    """Signals and proportions that metric sources and monitors of a lane report."""

    signals: frozenset[str] = frozenset()
    proportions: frozenset[str] = frozenset()


def watch(
    document: Document, said: Layers, policy: judge.JudgePolicy, reported: ReportedSignals
) -> LaneWatch:
    """How the lane is watched. Rules that cannot be read are reported and left out."""
    value = said.get("watch", models.Watch())
    written: models.Watch = value.value
    known = {rule.name: rule for rule in PROFILES[written.profile](policy, reported.proportions)}
    for name, each in written.rules.items():
        if each is None:
            if name not in known:
                document.wrong((*value.path, "rules", name), f'there is no rule "{name}" to remove.')
            known.pop(name, None)
        elif (rule := _rule(document, (*value.path, "rules", name), name, each)) is not None:
            known[name] = rule
            for sentence, hint in _unheard(said.lane, rule, reported):
                document.wrong((*value.path, "rules", name), sentence, hint)
    return LaneWatch(
        tuple(known.values()),
        AlertPolicy(
            steps=_steps(document, (*value.path, "alerts", "escalation"), written.alerts),
            settle_s=written.settle,
            quiet_s=written.alerts.ask_after,
            answer_s=written.alerts.answer_within,
            blame_s=written.blame,
        ),
        rolls_back=written.rollback == "enabled",
        incidents=_incidents(document, (*value.path, "incidents", "targets"), written.incidents),
        runbook=written.runbook or "",
    )


def _steps(
    document: Document, path: KeyPath, written: models.AlertFollowUp
) -> Mapping[Severity, tuple[EscalationStep, ...]]:
    """The steps of each severity: those that are written, else the default ones."""
    found: dict[Severity, str] = {}
    steps = dict(STEPS)
    for word, each in written.escalation.items():
        severity = severity_of(word)
        if severity is None:
            document.wrong(
                (*path, word), f'there is no severity "{word}".', nearest(word, map(str, Severity))
            )
        elif severity in found:
            sentence = f'"{word}" and "{found[severity]}" are one severity.'
            document.wrong((*path, word), sentence, "Write its steps once.")
        else:
            found[severity] = word
            steps[severity] = tuple(_of_severity(document, (*path, word), each))
    return steps


def _of_severity(
    document: Document, path: KeyPath, written: tuple[models.EscalationStep, ...]
) -> Iterator[EscalationStep]:
    before_s = -1.0
    for index, each in enumerate(written):
        at, after_s = (*path, index), each.after or 0.0
        if after_s <= before_s:
            sentence = (
                f"comes {duration(after_s)} after the beginning, and the step before it {duration(before_s)}."
            )
            document.wrong(
                (*at, "after") if each.after else at, sentence, "Later steps need a longer after:."
            )
        before_s = after_s
        if not each.who:
            document.wrong(at, "a step needs someone to call.", f"Known: {', '.join(RESPONDERS)}.")
        known: list[Responder] = []
        for name in each.who:
            responder = next((one for one in RESPONDERS if one == name), None)
            if responder is None:
                document.wrong((*at, "who"), f'no one is called "{name}" here.', nearest(name, RESPONDERS))
            else:
                known.append(responder)
        yield EscalationStep(after_s, tuple(dict.fromkeys(known)), each.direct, each.war_room)


def _incidents(document: Document, path: KeyPath, written: models.IncidentPolicy) -> IncidentPolicy:
    targets = dict(TARGETS)
    for severity, each in written.targets.items():
        if each.restore < each.acknowledge:
            document.wrong(
                (*path, severity.value), "`restore` is shorter than `acknowledge`; both begin together."
            )
        targets[severity] = ResponseTarget(each.acknowledge, each.restore)
    return IncidentPolicy(targets, written.postmortem)


def _rule(document: Document, path: KeyPath, name: str, written: models.WatchRule) -> WatchRule | None:
    texts = (written.rule,) if isinstance(written.rule, str) else written.rule
    conditions = []
    for text in texts:
        try:
            condition = judge.parse_rule(text)
        except judge.RuleError as error:
            document.wrong(path, f"{error}".rstrip("?.") + ".")
            continue
        conditions.append(condition)
    if not texts:
        document.wrong(path, "a rule needs a condition.")
    if len(conditions) < len(texts) or not conditions:
        return None
    return WatchRule(
        name,
        (tuple(conditions),),
        written.severity,
        written.after_deploy,
        written.rollback,
        runbook=written.runbook or "",
    )


def _unheard(lane: Lane, rule: WatchRule, reported: ReportedSignals) -> Iterator[tuple[str, str]]:
    """Conditions of which nothing in the lane says how they stand: a sentence and a hint each."""
    for condition in rule.conditions:
        name, subject = condition.name, condition.subject or ""
        if condition.metric == "alert":
            if len(rule.conditions) > 1 or condition.for_s:
                yield f'"{name}" stands alone and has no time: it holds as soon as an alert is there.', ""
            elif not (rule.rollback and rule.after_deploy_s):
                yield f'"{name}" is an alert already.', "Add after_deploy: and rollback: true."
            elif subject and severity_of(subject) is None:
                yield f'"{subject}" is no severity.', "Write P1, P2, critical or high."
        elif condition.signal is not None and condition.signal not in reported.signals:
            yield f'nothing in {lane} says "{name}".', _REMEDY[condition.metric]
        elif condition.metric == "proportion" and subject not in reported.proportions:
            hint = nearest(subject, reported.proportions) if reported.proportions else ""
            yield f'no metric source of {lane} reads "{subject}".', hint or _EXTRA
