"""What another program says of one alert, as a finding: its lane by labels, every text cut to size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from bot.domain.config import Catalog
from bot.domain.formatting import clean, one_line
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.findings import Finding, Severity, severity_of
from bot.kinds import AlertSourceSettings

TITLE, TEXT, VALUE, URL, FINGERPRINT = 200, 2000, 100, 500, 100
# Of the labels: how many, how long, and how much in all, in characters.
LABELS, LABEL_NAME, LABEL_VALUE, ALL_LABELS = 40, 64, 200, 4096
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AlertContext:
    """What alert sources are made with. redact: hides secrets in texts."""

    current: Callable[[], Catalog]
    redact: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class SaidAlert:
    """One alert as another program tells it, of any length. at: when it began, or when it was over."""

    id: str
    title: str
    at: datetime | None
    firing: bool
    labels: Mapping[str, str]
    severity: Severity = Severity.MEDIUM  # unless a label says another
    text: str = ""
    value: str = ""
    limit: str = ""
    runbook: str = ""
    url: str = ""


class FindingMaker:
    """Makes findings of one source, `name`."""

    def __init__(self, name: str, settings: AlertSourceSettings, context: AlertContext) -> None:
        self._name = name
        self._settings = settings
        self._context = context

    def finding(self, said: SaidAlert, now: datetime) -> Finding:
        """now: what replaces a time that is missing, before 2000 or in the future."""
        lane = self._lane(said.labels)
        return Finding(
            fingerprint=fingerprint(self._name, said.id),
            source=self._name,
            title=self._line(said.title, TITLE) or f"An alert of {self._name}",
            at=_sound(said.at, now),
            firing=said.firing,
            severity=self._severity(said),
            lane=lane,
            guilds=() if lane else self._guilds(),
            text=self._context.redact(clean(said.text, TEXT)),
            value=self._line(said.value, VALUE),
            limit=self._line(said.limit, VALUE),
            runbook=_address(said.runbook),
            url=_address(said.url),
            labels=self._labels(said.labels),
        )

    def _lane(self, labels: Mapping[str, str]) -> Lane | None:
        """The lane that the labels name, if the catalog has it."""
        settings = self._settings
        service = labels.get(settings.service_label, "")
        environment = labels.get(settings.environment_label, "")
        lane = Lane(
            settings.services.get(service, service), settings.environments.get(environment, environment)
        )
        return lane if lane in self._context.current().lanes else None

    def _guilds(self) -> tuple[int, ...]:
        known = self._context.current().alert_sources.get(self._name)
        return known.guilds if known else ()

    def _severity(self, said: SaidAlert) -> Severity:
        words = (said.labels.get(name, "") for name in self._settings.severity_labels)
        return next((found for word in words if (found := severity_of(word[:40]))), said.severity)

    def _labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        found: dict[str, str] = {}
        left = ALL_LABELS
        for name, value in islice(labels.items(), LABELS):
            short = one_line(name, LABEL_NAME)
            text = self._line(value, LABEL_VALUE)
            left -= len(short) + len(text)
            if left < 0:
                break
            if short:
                found[short] = text
        return found

    def _line(self, text: str, longest: int) -> str:
        return self._context.redact(one_line(text, longest))


def fingerprint(source: str, said: str) -> str:
    """Names the trouble among those of all sources, in at most 100 characters."""
    whole = f"{source}/{said}"
    plain = whole.isascii() and whole.isprintable() and len(whole) <= FINGERPRINT
    hashed = hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()
    return whole if plain else f"{source[:30]}/{hashed}"


def texts(values: Mapping[str, Any]) -> Mapping[str, str]:
    """Those values that are texts, numbers or truths, as text."""
    return {key: str(value) for key, value in values.items() if isinstance(value, str | int | float)}


def _sound(at: datetime | None, now: datetime) -> datetime:
    if at is None:
        return now
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return aware.astimezone(UTC) if _OLDEST <= aware <= now else now


def _address(text: str) -> str:
    """An address of the web that people can open; empty for anything else."""
    text = text.strip()
    if len(text) > URL or not text.isprintable() or any(char in " <>\"'`\\" for char in text):
        return ""
    try:
        parts = urlsplit(text)
        return text if parts.scheme in ("http", "https") and parts.hostname else ""
    except ValueError:
        return ""
