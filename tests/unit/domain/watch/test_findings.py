"""Severities: their order, and the words of other programs."""

from __future__ import annotations

import pytest

from bot.domain.watch.alerts.findings import Severity, severity_of


def test_the_worst_comes_first() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert min(Severity, key=lambda each: each.rank) is Severity.CRITICAL


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("critical", Severity.CRITICAL),
        ("P1", Severity.CRITICAL),
        (" Page ", Severity.CRITICAL),
        ("error", Severity.HIGH),
        ("warning", Severity.MEDIUM),
        ("info", Severity.LOW),
        ("purple", None),
        ("", None),
    ],
)
def test_words_of_other_programs(word: str, meant: Severity | None) -> None:
    assert severity_of(word) is meant


def test_every_word_that_is_known() -> None:
    known = {
        Severity.CRITICAL: "critical page fatal emergency disaster p0 p1 sev1",
        Severity.HIGH: "high error major p2 sev2",
        Severity.MEDIUM: "medium warning warn average minor ticket p3 sev3",
        Severity.LOW: "low info information notice debug none p4 p5 sev4",
    }
    for severity, words in known.items():
        for word in words.split():
            assert severity_of(f"\t{word.upper()} ") is severity
