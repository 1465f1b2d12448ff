"""JSON of `slipway commands … --json`: a stable format, described in docs/slash-commands.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.domain.appcommands.diff import CommandDiff
from bot.domain.appcommands.texts import ManifestProblem
from bot.domain.errors import UserError
from bot.domain.rollout.model import Rollout
from bot.engine.appcommands.api import (
    ApplicationStatus,
    BackupLine,
    Comparison,
    Detection,
    EnvironmentStatus,
    InvalidManifest,
    ManualStep,
    ScopeDiff,
    Validation,
)

Json = dict[str, Any]


def mistakes(found: Iterable[ManifestProblem]) -> list[Json]:
    return [{"path": one.path, "sentence": one.sentence} for one in found]


def error(given: BaseException, sentence: str) -> Json:
    """`rule` is a stable identifier, empty if there is none."""
    rule, remedy = (given.rule, given.remedy) if isinstance(given, UserError) else ("", "")
    shown: Json = {"rule": rule, "sentence": sentence.removesuffix(remedy).strip(), "remedy": remedy}
    if isinstance(given, InvalidManifest):
        shown["mistakes"] = mistakes(given.mistakes)
    return {"error": shown}


def detection(found: Sequence[Detection]) -> Json:
    return {
        "pending": any(one.pending for one in found),
        "applications": [
            {
                "application": one.application,
                "version": one.wanted.version,
                "digest": one.wanted.digest,
                "where": one.wanted.where,
                "applied": dict(one.applied),
                "pending": list(one.pending),
            }
            for one in found
        ],
    }


def validation(found: Validation) -> Json:
    return {
        "application": found.application,
        "ok": found.ok,
        "where": found.where,
        "version": found.manifest.version if found.manifest else None,
        "commands": len(found.manifest.commands) if found.manifest else None,
        "mistakes": mistakes(found.mistakes),
    }


def difference(found: Sequence[Comparison], text: str) -> Json:
    """`text` is the same in diff format, ready for a comment."""
    return {
        "application": found[0].application,
        "different": any(one.different for one in found),
        "dangers": list(dict.fromkeys(danger for one in found for danger in one.dangers)),
        "mistakes": mistakes(dict.fromkeys(m for one in found for m in one.mistakes)),
        "environments": [comparison(one) for one in found],
        "text": text,
    }


def comparison(one: Comparison) -> Json:
    return {
        "environment": one.environment,
        "version": one.wanted.version,
        "digest": one.wanted.digest,
        "where": one.wanted.where,
        "different": one.different,
        "drift": one.drift,
        "scopes": [_scope(scope) for scope in one.scopes],
    }


def _scope(one: ScopeDiff) -> Json:
    return {
        "scope": str(one.scope),
        "present": one.present_count,
        "unchanged": one.diff.unchanged,
        "created_today": one.created_today,
        "drift": one.drift,
        "changes": [_change(command) for command in one.diff.commands],
    }


def _change(one: CommandDiff) -> Json:
    fields = [{"path": c.path, "before": c.before, "after": c.after, "danger": c.danger} for c in one.changes]
    return {
        "what": one.what,
        "type": one.type,
        "name": one.name,
        "former_name": one.former_name,
        "id": one.id,
        "dangers": list(one.dangers),
        "fields": fields,
    }


def begun(
    sentence: str, found: Comparison, rollout: Rollout | None, manual: Sequence[ManualStep] = ()
) -> Json:
    """Result of an apply or rollback. `rollout` is null when there were no differences."""
    shown: Json = {
        "application": found.application,
        "environment": found.environment,
        "sentence": sentence,
        "rollout": None,
        "changes": comparison(found),
        "manual": [{"scope": str(s.scope), "command": s.command, "sentence": s.sentence} for s in manual],
    }
    if rollout is not None:
        shown["rollout"] = {
            "id": rollout.id,
            "version": rollout.candidate.version,
            "phase": str(rollout.phase),
            "final": rollout.phase.final,
            "outcome": rollout.outcome,
        }
    return shown


def backups(application: str, found: Sequence[BackupLine]) -> Json:
    return {"application": application, "backups": [_backup(one) for one in found]}


def _backup(one: BackupLine) -> Json:
    return {
        "id": one.id,
        "environment": one.environment,
        "scope": str(one.scope),
        "at": one.at.isoformat(),
        "version": one.version,
        "digest": one.digest,
        "commands": one.count,
        "overwrites": one.overwrites,
        "why": one.why,
        "who": one.who,
        "rollout": one.rollout_id,
    }


def health(found: Sequence[ApplicationStatus]) -> Json:
    applications = [
        {
            "application": one.application,
            "id": str(one.id),
            "source": one.source,
            "environments": [_environment(each) for each in one.environments],
        }
        for one in found
    ]
    return {"ok": not troubles(found), "applications": applications}


def _environment(one: EnvironmentStatus) -> Json:
    return {
        "environment": one.environment,
        "applied": one.desired_version,
        "served": one.served_version,
        "drift": one.drift,
        "created_today": one.created_today,
        "active": one.active.id if one.active else None,
        "locked": one.lock.reason if one.lock else None,
        "readings": [_reading(reading) for reading in one.readings],
        "findings": [
            {"what": f.what, "sentence": f.sentence, "since": f.since.isoformat()} for f in one.findings
        ],
    }


def _reading(one: Any) -> Mapping[str, Any]:
    shown = {"scope": str(one.scope), "at": one.at.isoformat(), "ms": round(one.ms, 1)}
    return {**shown, "commands": one.count, "digest": one.digest, "error": one.error}


def troubles(found: Sequence[ApplicationStatus]) -> list[str]:
    """One sentence per problem."""
    said = []
    for application in found:
        for one in application.environments:
            where = f"{application.application}/{one.environment}"
            said += [f"{where}: {f.what}: {f.sentence}" for f in one.findings]
            said += [f"{where}: {one.drift}"] if one.drift else []
            said += [f"{where}: {reading.error}" for reading in one.readings if reading.error]
    return list(dict.fromkeys(said))
