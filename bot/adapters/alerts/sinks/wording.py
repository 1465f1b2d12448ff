"""Words that all sinks have for an alert. Every text is one line unless it says otherwise, and nothing is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from bot.domain.formatting import clean, one_line
from bot.domain.watch.alerts.alert import AlertState
from bot.ports.watch.sinks import AlertSnapshot, Known

_TITLE, _LINE, _TEXT = 200, 500, 2000


def title(alert: AlertSnapshot) -> str:
    """`checkout/production: 52% of requests fail`."""
    about = f"{alert.lane}: " if alert.lane else ""
    return f"{about}{one_line(alert.title, _TITLE) or 'An alert'}"


def headline(alert: AlertSnapshot, known: Known | None) -> str:
    """The state in a few words, such as `CRITICAL`, `Now HIGH` or `Acknowledged by Ada`."""
    if alert.state is AlertState.RESOLVED:
        return "Resolved"
    if alert.state is AlertState.ACKNOWLEDGED:
        by = one_line(alert.acknowledged_by, 100)
        return f"Acknowledged by {by}" if by else "Acknowledged"
    if known is not None and known.state is AlertState.ACKNOWLEDGED:
        return f"{alert.severity.upper()}, and no one has it any more"
    worse = known is not None and known.state is AlertState.FIRING
    return f"Now {alert.severity.upper()}" if worse else str(alert.severity.upper())


def details(alert: AlertSnapshot) -> Iterator[tuple[str, str]]:
    """What is known beside title and text, each with its name. Links are not among them."""
    yield "Severity", str(alert.severity)
    yield "Since", at(alert.since)
    if alert.state is AlertState.RESOLVED:
        yield "Over", at(alert.at)
    if value := one_line(alert.value, _LINE):
        limit = one_line(alert.limit, _LINE)
        yield "Value", f"{value} (limit {limit})" if limit else value
    if deploy := one_line(alert.last_deploy, _LINE):
        yield "Last deploy", f"{deploy}: {'a plausible cause' if alert.suspected else 'not suspected'}"
    if alert.acknowledged_by:
        yield "Acknowledged by", one_line(alert.acknowledged_by, 100)


def links(alert: AlertSnapshot) -> Iterator[tuple[str, str]]:
    """Addresses of the web, each with its name."""
    for name, url in (("Runbook", alert.runbook), ("Alert in Discord", alert.url)):
        if url.startswith(("https://", "http://")) and url.isprintable() and not set(url) & set(" <>|\"'`\\"):
            yield name, url


def text(alert: AlertSnapshot) -> str:
    """What it says at length, on several lines."""
    return "\n".join(clean(alert.text, _TEXT).splitlines())


def at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
