"""The fields of voice and stage channels, and what may be changed about a connection to a stage."""

from dataclasses import dataclass
from datetime import UTC, datetime

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.model import STAGE
from discord_sandbox.discord.state.voice import VoiceSettings

LEAST_BITRATE, HIGHEST_BITRATE = 8_000, 96_000
STAGE_BITRATE = 64_000
MOST_USERS, MOST_ON_STAGE = 99, 10_000
PUBLIC, GUILD_ONLY = 1, 2
LONGEST_TOPIC, LONGEST_STATUS = 120, 500


def read_settings(body: Fields, kind: int, former: VoiceSettings) -> VoiceSettings:
    """The settings as the body leaves them. Collects complaints. Raises 30052 for too high a bitrate."""
    bitrate = body.number("bitrate", LEAST_BITRATE, 2**31 - 1)
    limit = body.number("user_limit", 0, MOST_ON_STAGE if kind == STAGE else MOST_USERS)
    region, quality = body.text("rtc_region", 100), body.choice("video_quality_mode", (1, 2))
    if bitrate is not None and bitrate > (STAGE_BITRATE if kind == STAGE else HIGHEST_BITRATE):
        raise DiscordError(30052)
    return VoiceSettings(
        former.bitrate if bitrate is None else bitrate,
        former.user_limit if limit is None else limit,
        region if "rtc_region" in body.body else former.region,
        former.video_quality if quality is None else quality,
    )


@dataclass(frozen=True, slots=True)
class StageFields:
    """What a body says of a live stage; None for what it omits."""

    channel_id: int | None
    topic: str | None
    privacy: int | None
    notify: bool
    event_id: int | None


def read_stage(body: Fields, *, new: bool) -> StageFields:
    """Collects complaints; the caller checks them."""
    keys = ("topic", "privacy_level")
    of_new = ("channel_id", "send_start_notification", "guild_scheduled_event_id")
    body.known((*keys, *of_new) if new else keys)
    for key in keys if not new else ():
        if key in body.body and body.body[key] is None:
            body.complain(key, "BASE_TYPE_REQUIRED", "This field is required")
    return StageFields(
        body.snowflake("channel_id", required=True) if new else None,
        body.text("topic", LONGEST_TOPIC, shortest=1, required=new),
        body.choice("privacy_level", (PUBLIC, GUILD_ONLY)),
        new and body.flag("send_start_notification") is True,
        body.snowflake("guild_scheduled_event_id") if new else None,
    )


@dataclass(frozen=True, slots=True)
class StageChanges:
    """What a body says of a connection. `requested` counts if `asks`; None takes the request back."""

    channel_id: str | None
    suppress: bool | None
    asks: bool = False
    requested: float | None = None


def read_changes(body: Fields, now: float, *, own: bool) -> StageChanges:
    """Collects complaints; the caller checks them. own: a bot's own state, which can ask to speak."""
    key = "request_to_speak_timestamp"
    body.known(("channel_id", "suppress", key) if own else ("channel_id", "suppress"))
    channel_id, suppress = body.snowflake("channel_id"), body.flag("suppress")
    place = str(channel_id) if channel_id is not None else None
    if not own or key not in body.body:
        return StageChanges(place, suppress)
    given, moment = body.time(key), None
    if given is not None:
        found = datetime.fromisoformat(given)
        moment = (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
        if moment < now - 60:
            body.complain(key, "BASE_TYPE_MIN", "Must be in the present or future.")
    return StageChanges(place, suppress, True, moment)
