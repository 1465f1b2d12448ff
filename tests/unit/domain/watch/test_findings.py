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
