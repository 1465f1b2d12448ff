"""How long notes are kept, by kind."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

# Every kind of note that is written. A kind that is missing here is a type error where it is written.
NoteKind = Literal[
    "alert_card",
    "alert_direct",
    "card",
    "command_finding",
    "commands",
    "commands_sync",
    "commands_sync_over",
    "commands_verified",
    "identify",
    "incident_card",
    "issue_closed",
    "member",
    "notice",
    "panic",
    "presence",
    "regression",
    "report",
    "sink",
    "war_room",
]


class Retention(StrEnum):
    """What a note is kept for. Ages are counted from when it was last written."""

    PASSING = "passing"  # until no effect can repeat what was posted or asked under its key
    RECORD = "record"  # as long as records of what happened
    ROLLOUT = "rollout"  # as passing, and while the rollout is active with which the key begins
    ALERT = "alert"  # as passing, and while the alert is open that is the key
    QUARANTINE = "quarantine"  # as passing, and while the release is quarantined that the key names
    ALWAYS = "always"  # one for each server, bot, sink or lane of the catalog: they do not grow in number


# Notes of kinds that are not named, as of other versions, are kept as records.
RETENTION: Mapping[NoteKind, Retention] = {
    "alert_card": Retention.PASSING,
    "alert_direct": Retention.ALERT,
    "card": Retention.ROLLOUT,
    "command_finding": Retention.ALWAYS,
    "commands": Retention.ALWAYS,
    "commands_sync": Retention.ROLLOUT,
    "commands_sync_over": Retention.ROLLOUT,
    "commands_verified": Retention.RECORD,
    "identify": Retention.ALWAYS,
    "incident_card": Retention.PASSING,
    "issue_closed": Retention.PASSING,
    "member": Retention.RECORD,
    "notice": Retention.PASSING,
    "panic": Retention.ALWAYS,
    "presence": Retention.PASSING,
    "regression": Retention.QUARANTINE,
    "report": Retention.PASSING,
    "sink": Retention.ALWAYS,
    "war_room": Retention.PASSING,
}
