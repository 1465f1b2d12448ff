"""Backups as people see them, and the permissions that people must restore by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bot.domain.appcommands.applications import Scope
from bot.domain.appcommands.records import Manifest, StoredBackup
from bot.engine.appcommands.api import Backup, BackupLine, ManualStep

_KINDS = {1: "role", 2: "person", 3: "channel"}
_ANYWHERE = -1  # Discord's id for "all channels" is the guild's minus one


def line_of(stored: StoredBackup) -> BackupLine:
    version = Manifest.of(stored.backup.commands).version if stored.backup.commands else ""
    return BackupLine(
        id=stored.id,
        application=stored.application,
        environment=stored.environment,
        scope=stored.scope,
        at=stored.at,
        digest=stored.digest,
        version=version or (stored.digest[:12] if stored.count else "empty"),
        count=stored.count,
        why=stored.why,
        who=stored.who,
        rollout_id=stored.rollout_id,
        overwrites=stored.overwrites,
    )


def backup_of(stored: StoredBackup) -> Backup:
    names = {str(command.get("id")): str(command.get("name")) for command in stored.backup.commands}
    permissions: dict[str, Sequence[Mapping[str, Any]]] = {}
    for overwrite in stored.backup.permissions:
        name = names.get(str(overwrite.get("id")), "?")
        permissions[name] = [*permissions.get(name, ()), *overwrite.get("permissions", ())]
    return Backup(line_of(stored), stored.backup.commands, permissions, manual_steps(stored))


def manual_steps(stored: StoredBackup, still_there: Collection[str] = ()) -> tuple[ManualStep, ...]:
    """Permission overwrites that were lost with their commands. A command that kept its id has kept its overwrites."""
    names = {str(command.get("id")): str(command.get("name")) for command in stored.backup.commands}
    found: list[ManualStep] = []
    for overwrite in stored.backup.permissions:
        command_id = str(overwrite.get("id"))
        if command_id in still_there:
            continue
        guild_id = int(overwrite.get("guild_id") or stored.scope.guild_id)
        name = names.get(command_id, "?")
        listed = ", ".join(_said(one, guild_id) for one in overwrite.get("permissions", ()))
        found.append(ManualStep(Scope(guild_id), name, f"/{name} in server {guild_id}: {listed}"))
    return tuple(found)


def _said(overwrite: Mapping[str, Any], guild_id: int) -> str:
    verb = "allow" if overwrite.get("permission") else "deny"
    whom = int(overwrite.get("id") or 0)
    kind = overwrite.get("type")
    if kind == 1 and whom == guild_id:
        return f"{verb} everyone"
    if kind == 3 and whom == guild_id + _ANYWHERE:
        return f"{verb} all channels"
    return f"{verb} {_KINDS.get(kind if isinstance(kind, int) else 0, 'id')} {whom}"
