"""Refusals that concern slash commands and their backups."""

from __future__ import annotations

from typing import LiteralString

from bot.domain.errors import Refused, UserError
from bot.domain.phrasebook.values import because, code, name, unquoted


def other_application(backup_id: int, owner: str, asked: str, where: LiteralString) -> UserError:
    """A backup of another application. `where`: the command that lists backups."""
    return UserError(
        f"Backup {backup_id} belongs to {code(owner)}, not to {code(asked)}.",
        rule="other_application",
        remedy=f"`{where}` lists the backups of an application.",
    )


def no_backup(backup_id: int) -> UserError:
    return UserError(
        f"There is no backup {backup_id} here.",
        rule="unknown_backup",
        remedy="`/commands-sync backups` lists them.",
    )


def not_a_backup(given: str) -> UserError:
    """A text that is not the number of a backup."""
    return UserError(
        f"{code(given)} is not the number of a backup.",
        rule="unknown_backup",
        remedy="`/commands-sync backups` lists them.",
    )


def no_applications() -> Refused:
    return Refused(
        "The catalog has no applications.",
        rule="no_applications",
        remedy="The Slipway operator can add them under `applications` in the catalog.",
    )


def no_more_commands_today(said: str) -> Refused:
    """`said`: what of the manifest is too much."""
    why = unquoted(said, 600).rstrip(". ")
    return Refused(
        f"{why[:1].upper()}{why[1:]}." if why else "Discord takes no more new commands today.",
        rule="budget",
        remedy="Try again tomorrow.",
    )


def manifest_unreadable(application: str, why: str) -> UserError:
    return UserError(
        f"The manifest of {name(application)} cannot be read{because(why)}.", rule="manifest_source"
    )
