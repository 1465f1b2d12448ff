"""Errors that a person caused: a sentence, the rule behind it, and a way out."""

from __future__ import annotations


class UserError(Exception):
    """Shown to the person as it is. `rule` is a stable word for logs and metrics, `remedy` what would help."""

    def __init__(self, sentence: str, *, rule: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()


class Refused(UserError):
    """What was asked is not allowed now, or not to this person."""


class IllegalTransition(Exception):
    """An event that the table of transitions does not allow: a bug, or an answer to another question."""


class BadCatalog(UserError):
    """The catalog has mistakes; the sentence lists all of them."""
