"""What may stand in the way of a deploy: each check a sentence, a rule and a way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.config import LaneConfig
from bot.domain.errors import Refused
from bot.domain.formatting import duration
from bot.domain.records import Lock, Situation
from bot.domain.rollout.model import Actor, Lane, Release
from bot.engine.api import PreflightFinding


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One line of a dry run; when it is not ok, why a deploy is refused."""

    what: str
    ok: bool
    sentence: str
    rule: str = ""
    remedy: str = ""

    @property
    def finding(self) -> PreflightFinding:
        return PreflightFinding(self.what, self.ok, f"{self.sentence} {self.remedy}".strip())

    def require(self) -> None:
        if not self.ok:
            raise Refused(self.sentence, rule=self.rule, remedy=self.remedy)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks look at. `succeeded_at`: when the release last succeeded where it must have, if anywhere."""

    config: LaneConfig
    actor: Actor
    candidate: Release
    situation: Situation
    now: datetime
    succeeded_at: datetime | None = None
    panic: Mapping[str, object] | None = None
    emergency: bool = False
    reason: str = ""
    renewing: bool = False  # it runs here, and what it showed here is too old for who asks for it


def checks(facts: Facts) -> tuple[PreflightCheck, ...]:
    """Every check of a deploy, in the order in which they are told to people."""
    return (
        role(facts.config.deploy_roles, facts.actor, "deploy"),
        running(facts),
        active(facts.situation),
        panic(facts.panic),
        *_locks(facts),
        *_prerequisites(facts),
    )


def role(roles: tuple[str, ...], actor: Actor, what: str) -> PreflightCheck:
    """Whether the person has one of the roles; Slipway itself needs none."""
    if actor.via == "system" or actor.roles & set(roles):
        return PreflightCheck("role", True, f"{actor.name} may {what} here.")
    named = " or ".join(f"`{name}`" for name in roles) or "a role that the catalog does not name"
    return PreflightCheck("role", False, f"To {what} here needs {named}.", "role", "Ask somebody who has it.")


def running(facts: Facts) -> PreflightCheck:
    lane, version, stable = facts.config.lane, facts.candidate.version, facts.situation.stable
    if facts.renewing:
        sentence = f"{lane.service} {version} runs in {lane.environment}; its success is old, so it is watched again."
        return PreflightCheck("version", True, sentence)
    if stable is not None and stable.digest == facts.candidate.digest:
        sentence = f"{lane.service} {version} already runs in {lane.environment}."
        return PreflightCheck("version", False, sentence, "already_running", "Nothing needs to be done.")
    now = f"{stable.version} runs there now" if stable else "nothing runs there yet"
    return PreflightCheck("version", True, f"{lane.service} {version} is known; {now}.")


def active(situation: Situation) -> PreflightCheck:
    rollout = situation.active
    if rollout is None:
        return PreflightCheck("rollout", True, "No other rollout is active here.")
    sentence = (
        f"Rollout #{rollout.id} is active in {rollout.lane}: {rollout.requester.name} deploys "
        f"{rollout.candidate.version} ({str(rollout.phase).replace('_', ' ')})."
    )
    return PreflightCheck("rollout", False, sentence, "lane_busy", "Wait for its end, or roll it back.")


def panic(note: Mapping[str, object] | None) -> PreflightCheck:
    if note is None:
        return PreflightCheck("panic", True, "No panic stop is on.")
    why = f": {note['reason']}" if note.get("reason") else ""
    where = f" in {note['where']}" if note.get("where") else ""
    return PreflightCheck(
        "panic",
        False,
        f"{note.get('by')} stopped everything{where}{why}.",
        "panic",
        f"Deploys are possible again after `/panic off`{where}.",
    )


def lock(held: Lock, digest: str) -> PreflightCheck:
    until = f"until <t:{int(held.expires.timestamp())}:f>" if held.expires else "until somebody unlocks it"
    since = f"<t:{int(held.since.timestamp())}:R>"
    what = "This release was rolled back here and is quarantined" if held.digest == digest else "Locked"
    return PreflightCheck(
        "lock",
        False,
        f"{held.lane} is locked by {held.owner} ({since}, {until}). {what}: {held.reason.rstrip('.')}.",
        "quarantined" if held.digest == digest else "locked",
        f"`/unlock service:{held.lane.service} environment:{held.lane.environment}` lifts it.",
    )


def _locks(facts: Facts) -> Iterator[PreflightCheck]:
    held = facts.situation.lock
    if held is None:
        yield PreflightCheck("lock", True, f"{facts.config.lane} is not locked.")
    else:
        yield lock(held, facts.candidate.digest)


def _prerequisites(facts: Facts) -> Iterator[PreflightCheck]:
    needed = facts.config.prerequisite
    if needed is None:
        return
    service, version = facts.config.lane.service, facts.candidate.version
    first = Lane(service, needed.environment)
    since = facts.now - timedelta(seconds=needed.max_age_s)
    age = duration(needed.max_age_s)
    if facts.succeeded_at is not None and facts.succeeded_at >= since:
        yield PreflightCheck(
            "prerequisite", True, f"{version} succeeded in {first.environment} within {age}."
        )
        return
    if facts.emergency:
        yield _emergency(facts, f"{version} did not succeed in {first.environment} within {age}")
        return
    last = (
        f"It last did <t:{int(facts.succeeded_at.timestamp())}:R>." if facts.succeeded_at else "It never did."
    )
    how = facts.config.asked_by.format(service=service, version=version, environment=first.environment)
    yield PreflightCheck(
        "prerequisite",
        False,
        f"{service} {version} must have succeeded in {first.environment} within {age}. {last}",
        "prerequisite",
        f"Run `{how}` first.",
    )


EMERGENCY = "emergency"


def _emergency(facts: Facts, missing: str) -> PreflightCheck:
    """Going on without the prerequisite: by a named role, with a reason, and never quietly."""
    roles = facts.config.emergency_roles
    if not facts.actor.roles & set(roles):
        named = " or ".join(f"`{name}`" for name in roles) or "nobody: the catalog names no role"
        sentence = f"{missing}. Going on without that is for {named}."
        return PreflightCheck("prerequisite", False, sentence, "emergency_role", "Ask somebody who has it.")
    if not facts.reason.strip():
        sentence = f"{missing}. An emergency needs a reason."
        return PreflightCheck(
            "prerequisite", False, sentence, "reason", "Say in a sentence why it cannot wait."
        )
    said = f"{facts.actor.name} goes on without it: {facts.reason.strip()}"
    return PreflightCheck(EMERGENCY, True, f"EMERGENCY: {missing}. {said}")
