"""Rollouts as lines on a terminal: what each is, how it stands, and what people should know before they approve it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.cli.exits import tell

if TYPE_CHECKING:
    from bot.cli.client import Shape


def tell_facts(seen: Shape, before: str = "", *, err: bool = True) -> None:
    """What people should know before they approve."""
    tell_changes(seen["changes"], before, err=err)
    if seen["irreversible"]:
        tell(f"{before}! {seen['to_version']} is irreversible: {seen['irreversible']}", err=err)
    for each in seen["preconditions"]:
        tell(f"{before}{'✓' if each['ok'] else '✗'} {each['sentence']}", err=err)
    for said in seen.get("warnings", ()):  # a server from before there were any does not say
        tell(f"{before}! {said}", err=err)


def tell_changes(changes: Shape | None, before: str = "", *, err: bool) -> None:
    for said in filter(None, (changes["sentence"], changes["link"]) if changes else ()):
        tell(f"{before}· {said}", err=err)


def summary(found: Shape) -> str:
    versions = f"{found['from_version'] or 'nothing'} → {found['to_version']}"
    return f"{found['service']} {versions} in {found['environment']}"


def status_line(now: Shape) -> str:
    share = f", {now['observed_weight']}%" if now["observed_weight"] and not now["final"] else ""
    return (
        f"{phase_words(now['phase'])}{share}: {now['outcome']}"
        if now["outcome"]
        else phase_words(now["phase"]) + share
    )


def phase_words(phase: str) -> str:
    return phase.replace("_", " ")
