"""Overrides of on-call schedules: what may be asked for, what it replaces, and what is recorded and told of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.records import AuditEntry
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Actor
from bot.domain.watch.oncall import schedule as oncall
from bot.domain.watch.oncall.schedule import LONGEST_OVERRIDE, OnCallShift, Override, Person
from bot.engine.watch.oncall.rota import ICON, Rota
from bot.ports.store import NO_LANE


@dataclass(frozen=True, slots=True)
class OverrideRequest:
    """A time that `person` is to take over. since: before now means now."""

    guild_id: int
    actor: Actor
    schedule: str
    person: Person
    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Overridden:
    """An override, and the shifts that it replaces, cut to its time."""

    override: Override
    instead: Sequence[OnCallShift] = field(default=())


def begin_of(now: datetime, since: datetime, until: datetime) -> datetime:
    """When the override begins. Raises `UserError`."""
    if until <= now:
        raise phrasebook.override_over(until)
    since = max(since, now)
    if until <= since:
        raise phrasebook.override_ends_first(since, until)
    if until - since > LONGEST_OVERRIDE:
        raise phrasebook.override_too_long(LONGEST_OVERRIDE.days)
    return since


def is_same(given: Override, request: OverrideRequest, reason: str, since: datetime) -> bool:
    """Whether it is what `request` asks for. One that began already may have been asked for with `now`."""
    mine = (request.schedule, request.person.id, request.until, request.actor.id, reason)
    theirs = (given.schedule, given.person.id, given.until, given.by_id, given.reason)
    return mine == theirs and given.since <= since


def replaced(rota: Rota, name: str, since: datetime, until: datetime) -> list[OnCallShift]:
    """The shifts that an override of this time replaces, cut to it."""
    found = oncall.between(rota.schedules[name], rota.overrides, since, until)
    return [oncall.cut(each, since, until) for each in found]


def entry_of(wanted: Override, instead: Sequence[OnCallShift], request: OverrideRequest) -> AuditEntry:
    """The line in the audit log."""
    details = {
        "schedule": wanted.schedule,
        "user": wanted.person.name,
        "user_id": wanted.person.id,
        "since": wanted.since.isoformat(),
        "until": wanted.until.isoformat(),
        "instead": [shift.person.name if shift.person else None for shift in instead],
    }
    return AuditEntry(
        lane=NO_LANE,
        actor=request.actor,
        at=wanted.at,
        what="on_call_override",
        why=wanted.reason,
        guild_id=request.guild_id,
        details=details,
    )


def concerned(wanted: Override, instead: Sequence[OnCallShift]) -> list[int]:
    """Who takes over, then those whom the override replaces."""
    people = [wanted.person, *(shift.person for shift in instead if shift.person is not None)]
    return list(dict.fromkeys(person.id for person in people))


def told_ahead(
    wanted: Override, instead: Sequence[OnCallShift], guild_id: int, gone: Collection[int]
) -> CallPeople:
    """What the people concerned are told of an override that begins later. gone: those who cannot be mentioned."""
    said = phrasebook.overrides_on_call(wanted.schedule, wanted.person.name, wanted.since, wanted.until)
    by = phrasebook.given_by(wanted.by, wanted.reason)
    once = f"{guild_id}/override/{wanted.schedule}/{wanted.person.id}/{wanted.since}/{wanted.at}"
    return CallPeople(
        key=hashlib.sha256(once.encode()).hexdigest()[:24],
        guild_id=guild_id,
        title=f"{wanted.schedule}: {wanted.person.name} takes over",
        text=f"{said} {by}",
        mention_users=tuple(each for each in concerned(wanted, instead) if each not in gone),
        icon=ICON,
    )
