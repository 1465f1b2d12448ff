"""Findings: what a rule, a monitor or another program says is wrong, and that it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.rollout.model import Lane


class Severity(StrEnum):
    """How bad it is, worst first. The words of other programs are read by `severity_of`."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


# What Slipway finds itself is heard in the order in which it was found.
OWN_SOURCES = frozenset({"rule", "monitor", "slipway"})

_WORDS: Mapping[str, Severity] = {
    **{str(severity): severity for severity in Severity},
    **dict.fromkeys(("page", "fatal", "emergency", "disaster", "p0", "p1", "sev1"), Severity.CRITICAL),
    **dict.fromkeys(("error", "major", "p2", "sev2"), Severity.HIGH),
    **dict.fromkeys(("warning", "warn", "average", "minor", "ticket", "p3", "sev3"), Severity.MEDIUM),
    **dict.fromkeys(("info", "information", "notice", "debug", "none", "p4", "p5", "sev4"), Severity.LOW),
}


def severity_of(word: str) -> Severity | None:
    """The severity that other programs mean by a word such as `page`, `warning` or `P1`; None for unknown words."""
    return _WORDS.get(word.strip().lower())


@dataclass(frozen=True, slots=True)
class Finding:
    """What one source says at one time. A later finding with the same fingerprint replaces it.

    fingerprint: names the trouble, not the time: its beginning and its end have the same one (≤ 100 characters).
    source: what found it, such as `rule`, `monitor` or the name of an alert source. at: when it began, or when it was
    over if not `firing`. lane: None when it concerns none; `guilds` are the servers to be told then. value and limit:
    as people read them, such as `52%` and `10%`. url: the source's own page. rollback: a rule that rolls back at once
    while a deploy is its plausible cause. lasting: it takes days to be over, so what a person resolved stays resolved.
    """

    fingerprint: str
    source: str
    title: str
    at: datetime
    firing: bool = True
    severity: Severity = Severity.MEDIUM
    lane: Lane | None = None
    guilds: tuple[int, ...] = ()
    text: str = ""
    value: str = ""
    limit: str = ""
    runbook: str = ""
    url: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    rollback: bool = False
    lasting: bool = False
