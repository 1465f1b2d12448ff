"""Deliveries of other programs: what every kind of alert source implements, and how it reads JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.domain.watch.alerts.findings import Finding

M = TypeVar("M", bound=BaseModel)

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class InboundDelivery:
    """One request. headers: by name in lower case. at: when it came, in seconds since 1970."""

    headers: Mapping[str, str]
    body: bytes
    at: float

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a delivery says; no findings where it is about no alert.

    closed_issues: those that were closed, as `owner/name#12`.
    once: the same text for a delivery that is sent again; empty where each may be taken any number of times.
    """

    findings: Sequence[Finding] = ()
    once: str = ""
    closed_issues: Sequence[str] = ()


class BadDelivery(Exception):
    """The delivery is not what the source takes; the sentence lists everything that is wrong."""


class AlertSource(Protocol):
    """One entry of `alert_sources:`."""

    def stranger(self, headers: Mapping[str, str]) -> str:
        """What the headers alone show to be wrong with the sender, as a sentence; empty when that is nothing."""
        ...

    def forged(self, delivery: InboundDelivery) -> str:
        """What is wrong with the signature of the whole, as a sentence; empty when that is nothing."""
        ...

    def read(self, delivery: InboundDelivery) -> Reading:
        """Raises `BadDelivery`."""
        ...


class Theirs(BaseModel):
    """A mapping of another program, which may have keys that Slipway does not read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def parsed(model: type[M], body: bytes) -> M:
    """The body as `model`. Raises `BadDelivery` with every mistake, none of which quotes the body."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise BadDelivery(_listed(error.errors(include_url=False, include_input=False))) from None


def _listed(errors: Sequence[Any]) -> str:
    if errors[0]["type"] == "json_invalid":
        return "The body is not JSON."
    said = [f"{_place(error['loc'])}: {_expected(error)}" for error in errors[:_SHOWN]]
    more = f" and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    return f"The body is not as expected: {'; '.join(said)}{more}."


def _expected(error: Any) -> str:
    """What pydantic expected, without what was there."""
    return "is missing" if error["type"] == "missing" else str(error["msg"]).replace("Input should", "should")


def _place(path: Iterable[str | int]) -> str:
    """`("alerts", 2, "labels")` as `alerts[2].labels`; names that the sender chose are cut."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part[:40]}" if text else part[:40]
    return text or "the body"
