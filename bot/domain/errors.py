"""Errors that a person caused: a sentence, the rule behind it, and a remedy."""

from __future__ import annotations


class UserError(Exception):
    """An error shown to the person as it is. `rule`: stable word for logs and metrics; `remedy`: what to do next."""

    def __init__(self, sentence: str, *, rule: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.rule = rule
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()


class Refused(UserError):
    """A refusal: the request is not allowed now, or not for this person."""


class IllegalTransition(Exception):
    """An event that the table of transitions does not allow: a bug, or an answer to another question."""


class BadCatalog(UserError):
    """A catalog with mistakes; the sentence lists all of them."""
