"""Resolution of what is watched in a lane."""

from __future__ import annotations

from bot.catalog import models
from bot.catalog.diagnostics import KeyPath
from bot.catalog.resolution.layers import Layers
from bot.catalog.yaml_source import Document
from bot.domain.judge import judge
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.lane import LaneWatch
from bot.domain.watch.rules import PROFILES, WatchRule


def watch(document: Document, said: Layers, policy: judge.JudgePolicy) -> LaneWatch:
    """How the lane is watched. Rules that cannot be read are reported and left out."""
    value = said.get("watch", models.Watch())
    written: models.Watch = value.value
    known = {rule.name: rule for rule in PROFILES[written.profile](policy)}
    for name, each in written.rules.items():
        if each is None:
            if name not in known:
                document.wrong((*value.path, "rules", name), f'there is no rule "{name}" to remove.')
            known.pop(name, None)
        elif (rule := _rule(document, (*value.path, "rules", name), name, each)) is not None:
            known[name] = rule
    return LaneWatch(
        tuple(known.values()),
        AlertPolicy(settle_s=written.settle, blame_s=written.blame),
        rolls_back=written.rollback == "enabled",
    )


def _rule(document: Document, path: KeyPath, name: str, written: models.WatchRule) -> WatchRule | None:
    texts = (written.rule,) if isinstance(written.rule, str) else written.rule
    conditions = []
    for text in texts:
        try:
            condition = judge.parse_rule(text)
        except judge.RuleError as error:
            document.wrong(path, f"{error}".rstrip("?.") + ".")
            continue
        if condition.signal is not None:
            sentence = f'"{text}" listens to a signal, which only the judge of a rollout hears.'
            document.wrong(
                path, sentence, "Count requests, such as `error_rate > 2% over 10m`, or add a check."
            )
            continue
        conditions.append(condition)
    if not texts:
        document.wrong(path, "a rule needs a condition.")
    if len(conditions) < len(texts) or not conditions:
        return None
    return WatchRule(name, (tuple(conditions),), written.severity, written.after_deploy, written.rollback)
