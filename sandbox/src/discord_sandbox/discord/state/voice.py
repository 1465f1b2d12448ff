"""Who is connected to voice, and the settings of voice and stage channels."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """bitrate: in bits per second; user_limit 0: none; region None: chosen by Discord."""

    bitrate: int = 64_000
    user_limit: int = 0
    region: str | None = None
    video_quality: int = 1


@dataclass(slots=True, eq=False)
class StageInstance:
    """What makes a stage channel live. privacy: 1 public, 2 for the server alone."""

    id: str
    channel_id: str
    topic: str
    privacy: int = 2
    event_id: str | None = None


@dataclass(slots=True, eq=False)
class VoiceState:
    """A member's connection to a voice or stage channel.

    session_id: of a bot, that of the gateway session it came by. suppress: they may not speak there. requested: when
    they asked to speak on a stage, in Unix seconds.
    """

    user_id: str
    channel_id: str
    session_id: str
    self_mute: bool = False
    self_deaf: bool = False
    suppress: bool = False
    requested: float | None = None
