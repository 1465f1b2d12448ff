"""Maintenance silences: people add, list and end them, and alerts are silenced and woken by them in time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.config import Catalog, LaneConfig, unknown
from bot.domain.formatting import clean
from bot.domain.records import AuditEntry
from bot.domain.rollout.model import SYSTEM, Actor, Lane
from bot.domain.watch.alerts.silences import LONGEST_LABEL, LONGEST_SILENCE, MOST_LABELS, Silence
from bot.ports.coordination import Clock
from bot.ports.store import NO_LANE
from bot.ports.watch.silences import SilenceStore

_MOST = 200  # of one server


@dataclass(frozen=True, slots=True)
class SilenceRequest:
    """What is to be silent. service, environment: empty for any. since: before now means now."""

    guild_id: int
    actor: Actor
    since: datetime
    until: datetime
    reason: str
    service: str = ""
    environment: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


class Silencing:
    """Requests about maintenance silences. Raises `UserError` with the sentence for the person, and `Unreachable`."""

    def __init__(self, store: SilenceStore, catalog: Callable[[], Catalog], clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def add(self, request: SilenceRequest) -> Silence:
        """The same silence again is the one that is there already."""
        now = self._clock.now()
        if not (request.service or request.environment or request.labels):
            raise phrasebook.silence_about_nothing()
        if not clean(request.reason):
            raise phrasebook.reason_required("Say what is being done.")
        _check_labels(request.labels)
        lanes = self._lanes(request.guild_id, request.service, request.environment)
        self._allowed(request.guild_id, request.actor, lanes if request.service else None, "silence alerts")
        wanted = Silence(
            id=0,
            guild_id=request.guild_id,
            service=request.service,
            environment=request.environment,
            labels=dict(request.labels),
            since=_begin(now, request),
            until=request.until,
            reason=clean(request.reason),
            by_id=request.actor.id,
            by=request.actor.name,
            at=now,
        )
        standing = await self.standing(request.guild_id)
        for known in standing:
            if known.since <= wanted.since and replace(known, id=0, since=wanted.since) == wanted:
                return known
        if len(standing) >= _MOST:
            raise phrasebook.too_many_silences(_MOST)
        return await self._store.add(wanted, entry(wanted, request.actor, now, "silence_added"))

    async def standing(self, guild_id: int) -> Sequence[Silence]:
        """The silences of the server that are not over, planned ones too, by id."""
        found = await self._store.standing(self._clock.now())
        return [each for each in found if each.guild_id == guild_id]

    async def find(self, guild_id: int, silence_id: int) -> Silence:
        found = [each for each in await self.standing(guild_id) if each.id == silence_id]
        if not found:
            raise phrasebook.no_silence(silence_id)
        return found[0]

    async def end(self, guild_id: int, actor: Actor, silence_id: int, reason: str = "") -> Silence:
        """End one before its time; who added it may always do that."""
        now = self._clock.now()
        found = await self.find(guild_id, silence_id)
        if not found.by_id == actor.id != 0:
            lanes = [
                config
                for config in self._catalog().visible(guild_id)
                if found.service == config.lane.service and found.environment in ("", config.lane.environment)
            ]
            self._allowed(guild_id, actor, lanes or None, "end that silence")
        line = entry(found, actor, now, "silence_ended", clean(reason))
        if not await self._store.end(silence_id, now, line):
            raise phrasebook.no_silence(silence_id)
        return replace(found, over_at=now)

    def lanes(self, guild_id: int, service: str, environment: str) -> Sequence[Lane]:
        """The lanes that a silence is about. Raises `UserError` for names that the server does not have."""
        return [config.lane for config in self._lanes(guild_id, service, environment)]

    def _lanes(self, guild_id: int, service: str, environment: str) -> Sequence[LaneConfig]:
        seen = self._catalog().visible(guild_id)
        services = {config.lane.service for config in seen}
        if service and service not in services:
            raise unknown("service", service, services)
        of_service = [config for config in seen if service in ("", config.lane.service)]
        environments = {config.lane.environment for config in of_service}
        if environment and environment not in environments:
            where = f"of {service}" if service else ""
            raise unknown("environment", environment, environments, where=where)
        return [config for config in of_service if environment in ("", config.lane.environment)]

    def _allowed(self, guild_id: int, actor: Actor, lanes: Sequence[LaneConfig] | None, action: str) -> None:
        """Who is on call may, and who may operate or roll back each of the lanes. lanes: None for more than lanes."""
        guild = self._catalog().guilds.get(guild_id)
        on_call = [guild.oncall_role] if guild is not None else []
        if actor.via == "system" or actor.roles & set(on_call):
            return
        for config in lanes or ():
            roles = (*config.policy.operate_roles, *config.policy.rollback_roles)
            if not actor.roles & set(roles):
                raise phrasebook.needs_role(action, tuple(dict.fromkeys((*on_call, *roles))))
        if not lanes:
            raise phrasebook.needs_role(action, tuple(on_call))


def labels_of(text: str) -> Mapping[str, str]:
    """The labels of `check=health, pod=web-1`; none of an empty text. Raises `UserError`."""
    found: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, sign, value = (each.strip() for each in part.partition("="))
        if not (sign and name and value) or name in found:
            raise phrasebook.bad_labels(text)
        found[name] = value
    _check_labels(found)
    return found


def entry(silence: Silence, actor: Actor, at: datetime, what: str, why: str = "") -> AuditEntry:
    """The line in the audit log."""
    lane = Lane(silence.service, silence.environment) if silence.service and silence.environment else NO_LANE
    details = {
        "silence": silence.id,
        "service": silence.service,
        "environment": silence.environment,
        "labels": dict(silence.labels),
        "since": silence.since.isoformat(),
        "until": silence.until.isoformat(),
    }
    return AuditEntry(lane, actor, at, what, why or silence.reason, silence.guild_id, details=details)


def carried_out(silence: Silence, at: datetime) -> AuditEntry | None:
    """The line for what time made of it; None where a person's line says so."""
    if silence.over_at is not None:
        return None
    if silence.until <= at:
        return entry(silence, SYSTEM, at, "silence_over")
    return entry(silence, SYSTEM, at, "silence_began")


def _check_labels(labels: Mapping[str, str]) -> None:
    too_long = any(
        not name or not value or max(len(name), len(value)) > LONGEST_LABEL for name, value in labels.items()
    )
    if len(labels) > MOST_LABELS or too_long or "\0" in "".join((*labels, *labels.values())):
        raise phrasebook.bad_labels(", ".join(f"{name}={value}" for name, value in labels.items()))


def _begin(now: datetime, request: SilenceRequest) -> datetime:
    if request.until <= now:
        raise phrasebook.silence_past(request.until)
    since = max(request.since, now)
    if request.until <= since:
        raise phrasebook.silence_order(since, request.until)
    if request.until - since > LONGEST_SILENCE:
        raise phrasebook.silence_too_long(LONGEST_SILENCE.days)
    return since
