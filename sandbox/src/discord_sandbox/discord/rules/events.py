"""A scheduled event's fields in a body, of a new one or a change."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from discord_sandbox.discord.rules import images
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.event import (
    EXTERNAL,
    IN_VOICE,
    NEXT,
    ON_STAGE,
    SCHEDULED,
    ScheduledEvent,
)
from discord_sandbox.discord.state.model import JSON, STAGE, VOICE, Guild
from discord_sandbox.discord.state.picture import Picture

MOST = 100  # that are not over, in a server
NAME, DESCRIPTION, LOCATION = 100, 1000, 100
FURTHEST = 5 * 366 * 86_400.0
GUILD_ONLY = 2
_PLACES = {ON_STAGE: STAGE, IN_VOICE: VOICE}
LARGEST_IMAGE = 10 * 1024 * 1024  # bytes
MOST_OFTEN = 1000
_WEEK = range(7)
_DAYS = {
    "by_weekday": _WEEK,
    "by_month": range(1, 13),
    "by_month_day": range(-1, 32),
    "by_year_day": range(-1, 366),
}


@dataclass(frozen=True, slots=True)
class EventFields:
    """An event as a body leaves it."""

    name: str
    kind: int
    start: float
    end: float | None
    channel_id: str | None
    location: str | None
    description: str | None
    status: int
    recurrence: JSON | None
    image: Picture | None


def read(body: Fields, guild: Guild, now: float, former: ScheduledEvent | None = None) -> EventFields:
    """Collects complaints; the caller checks them. former: what is changed, None for a new one. Raises 50046."""
    new = former is None
    for key in ("name", "privacy_level", "scheduled_start_time") if not new else ():
        if key in body.body and body.body[key] is None:
            body.complain(key, "BASE_TYPE_REQUIRED", "This field is required")
    name = body.text("name", NAME, shortest=1, required=new)
    body.choice("privacy_level", (GUILD_ONLY,), required=new)
    kind = body.choice("entity_type", (ON_STAGE, IN_VOICE, EXTERNAL), required=new)
    start, place = _moment(body, "scheduled_start_time", required=new), body.snowflake("channel_id")
    rule = body.object("recurrence_rule")
    found = EventFields(
        name or "",
        EXTERNAL if kind is None else kind,
        now if start is None else start,
        _moment(body, "scheduled_end_time"),
        str(place) if place is not None else None,
        _location(body),
        body.text("description", DESCRIPTION) or None,
        SCHEDULED,
        _rule(rule) if rule is not None else None,
        images.read(body, "image", LARGEST_IMAGE),
    )
    if former is not None:
        found = _changed(body, found, former)
    _check_times(body, found, now, moved=start is not None)
    return _placed(body, found, guild)


def _changed(body: Fields, found: EventFields, former: ScheduledEvent) -> EventFields:
    """With the former values of what the body omits, or what cannot be null."""
    given, status = body.body, body.choice("status", NEXT)
    if status not in (None, former.status, *NEXT[former.status]):
        code = "GUILD_SCHEDULED_EVENT_INVALID_STATUS_TRANSITION"
        body.complain("status", code, "Invalid status transition.")
    if given.get("scheduled_start_time") is not None and former.status != SCHEDULED:
        code = "GUILD_SCHEDULED_EVENT_INVALID_START_BY_STATUS"
        body.complain("scheduled_start_time", code, "The event has begun.")
    return EventFields(
        former.name if given.get("name") is None else found.name,
        former.kind if given.get("entity_type") is None else found.kind,
        former.start if given.get("scheduled_start_time") is None else found.start,
        found.end if "scheduled_end_time" in given else former.end,
        found.channel_id if "channel_id" in given else former.channel_id,
        found.location if "entity_metadata" in given else former.location,
        found.description if "description" in given else former.description,
        former.status if status is None else status,
        found.recurrence if "recurrence_rule" in given else former.recurrence,
        found.image if "image" in given else former.image,
    )


def _moment(body: Fields, key: str, *, required: bool = False) -> float | None:
    """Unix seconds."""
    given = body.time(key)
    if given is None:
        if required and body.body.get(key) is None:
            body.complain(key, "BASE_TYPE_REQUIRED", "This field is required")
        return None
    found = datetime.fromisoformat(given)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _location(body: Fields) -> str | None:
    given = body.object("entity_metadata")
    return given.text("location", LOCATION) if given is not None else None


def _rule(body: Fields) -> JSON:
    """How often the event recurs, as Discord answers it. The sandbox keeps it, and lets it happen once."""
    start, end = body.time("start"), body.time("end")
    if body.body.get("start") is None:
        body.complain("start", "BASE_TYPE_REQUIRED", "This field is required")
    found: JSON = {
        "start": start,
        "end": end,
        "frequency": body.choice("frequency", range(4), required=True),
        "interval": body.number("interval", 1, MOST_OFTEN) or 1,
        "by_n_weekday": None,
        "count": body.number("count", 1, MOST_OFTEN),
    }
    for key, allowed in _DAYS.items():
        found[key] = body.choices(key, allowed)
    days = body.objects("by_n_weekday", 7)
    if days is not None:
        found["by_n_weekday"] = [
            {"n": one.number("n", 1, 5, required=True), "day": one.choice("day", _WEEK, required=True)}
            for one in days
        ]
    return found


def _check_times(body: Fields, found: EventFields, now: float, *, moved: bool) -> None:
    start, end = "scheduled_start_time", "scheduled_end_time"
    if moved and found.start < now:
        body.complain(start, "GUILD_SCHEDULED_EVENT_SCHEDULE_PAST", "Cannot schedule event in the past.")
    elif found.start > now + FURTHEST:
        body.complain(start, "GUILD_SCHEDULED_EVENT_SCHEDULE_FUTURE", "Cannot schedule event that far ahead.")
    if found.end is None:
        if found.kind == EXTERNAL and not body.wrong(end, "entity_type"):
            body.complain(end, "BASE_TYPE_REQUIRED", "This field is required")
    elif not found.start < found.end <= found.start + FURTHEST and not body.wrong(start):
        body.complain(end, "GUILD_SCHEDULED_EVENT_END_TIME_INVALID", "The event must end after it starts.")


def _placed(body: Fields, found: EventFields, guild: Guild) -> EventFields:
    """With the place that fits its kind: a channel, or a location."""
    if body.wrong("entity_type", "channel_id", "entity_metadata"):
        return found
    if found.kind != EXTERNAL:
        channel = guild.channels.get(found.channel_id or "")
        if channel is None or channel.kind != _PLACES[found.kind]:
            body.complain("channel_id", "CHANNEL_INVALID", "The event needs a channel of its kind.")
        return replace(found, location=None)
    if body.body.get("channel_id") is not None:
        body.complain("channel_id", "CHANNEL_INVALID", "An external event has no channel.")
    if not found.location:
        body.complain("entity_metadata", "BASE_TYPE_REQUIRED", "This field is required")
    return replace(found, channel_id=None)
