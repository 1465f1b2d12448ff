"""Preflight checks of a deploy: each has a sentence, a rule and a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import phrasebook
from bot.domain.config import LaneConfig
from bot.domain.errors import Refused, UserError
from bot.domain.formatting import duration
from bot.domain.records import Lock, Situation
from bot.domain.rollout.model import Actor, Lane, Precondition, Release
from bot.engine.api import PreflightFinding


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """Result of one check; when it is not ok, the reason why a deploy is refused."""

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
    """Input of the checks. `succeeded_at`: last success in the prerequisite's environment, if any."""

    config: LaneConfig
    actor: Actor
    candidate: Release
    situation: Situation
    now: datetime
    succeeded_at: datetime | None = None
    panic: Mapping[str, object] | None = None
    emergency: bool = False
    reason: str = ""
    preconditions: tuple[Precondition, ...] = ()
    lane_preconditions: tuple[Precondition, ...] = ()  # of alerts and budgets: an emergency skips them
    renewing: bool = False  # it runs here, but its success is too old for the environment that requires it


def checks(facts: Facts) -> tuple[PreflightCheck, ...]:
    """Every check of a deploy, in display order."""
    return (
        role(facts.config.deploy_roles, facts.actor, "deploy"),
        running(facts),
        active(facts.situation),
        panic(facts.panic),
        *_locks(facts),
        *_prerequisites(facts),
        *_preconditions(facts),
        *_irreversible(facts.candidate),
    )


def require(found: Sequence[PreflightCheck]) -> None:
    """Raise the first refusal; preconditions last, all that are not met at once."""
    for check in found:
        if check.rule != PRECONDITION:
            check.require()
    unmet = [check.sentence for check in found if not check.ok]
    if unmet:
        raise phrasebook.preconditions(unmet)


def role(roles: tuple[str, ...], actor: Actor, action: str) -> PreflightCheck:
    """Whether the person has one of the roles; Slipway itself needs none."""
    if actor.via == "system" or actor.roles & set(roles):
        return PreflightCheck("role", True, f"{actor.name} may {action} here.")
    return _refused("role", phrasebook.needs_role(f"{action} here", roles))


def running(facts: Facts) -> PreflightCheck:
    lane, version, stable = facts.config.lane, facts.candidate.version, facts.situation.stable
    if facts.renewing:
        sentence = f"{lane.service} {version} runs in {lane.environment}. Its success is old, so it is observed again."
        return PreflightCheck("version", True, sentence)
    if stable is not None and stable.digest == facts.candidate.digest:
        return _refused("version", phrasebook.already_running(lane.service, version, lane.environment))
    now = f"{stable.version} runs there now" if stable else "nothing runs there yet"
    return PreflightCheck("version", True, f"{lane.service} {version} exists; {now}.")


def active(situation: Situation) -> PreflightCheck:
    rollout = situation.active
    if rollout is None:
        return PreflightCheck("rollout", True, "No other rollout is active here.")
    phase = str(rollout.phase).replace("_", " ")
    busy = phrasebook.lane_busy(
        str(rollout.lane), rollout.id, rollout.requester.name, rollout.candidate.version, phase
    )
    return _refused("rollout", busy)


def panic(note: Mapping[str, object] | None) -> PreflightCheck:
    if note is None:
        return PreflightCheck("panic", True, "The panic stop is off.")
    by, reason, server = (str(note.get(key) or "") for key in ("by", "reason", "where"))
    return _refused("panic", phrasebook.panic_stop(by, reason, server))


def lock(held: Lock, candidate: Release | None = None) -> PreflightCheck:
    """A lock in the way of `candidate`, or of another lock when there is none."""
    lane = str(held.lane)
    if not held.digest:
        refused = phrasebook.locked(lane, held.owner, held.reason, held.since, held.expires)
    elif candidate is not None and candidate.digest == held.digest:
        refused = phrasebook.quarantined(
            lane, candidate.version, held.reason, held.quarantined_at or held.since
        )
    else:
        refused = phrasebook.locked_after_rollback(lane, held.reason, held.since, held.expires)
    return _refused("lock", refused)


def _refused(what: str, error: UserError) -> PreflightCheck:
    return PreflightCheck(what, False, error.sentence, error.rule, error.remedy)


def _locks(facts: Facts) -> Iterator[PreflightCheck]:
    held = facts.situation.lock
    if held is None:
        yield PreflightCheck("lock", True, f"{facts.config.lane} is not locked.")
    else:
        yield lock(held, facts.candidate)


def _prerequisites(facts: Facts) -> Iterator[PreflightCheck]:
    needed = facts.config.prerequisite
    if needed is None:
        return
    service, version = facts.config.lane.service, facts.candidate.version
    first = Lane(service, needed.environment)
    since = facts.now - timedelta(seconds=needed.max_age_s)
    if facts.succeeded_at is not None and facts.succeeded_at >= since:
        yield PreflightCheck(
            "prerequisite",
            True,
            f"{version} succeeded in {first.environment} within the last {duration(needed.max_age_s)}.",
        )
        return
    if facts.emergency:
        yield _emergency(facts, phrasebook.not_succeeded(version, first.environment, needed.max_age_s))
        return
    command = facts.config.asked_by.format(service=service, version=version, environment=first.environment)
    refused = phrasebook.prerequisite(
        f"{service} {version}", first.environment, needed.max_age_s, facts.succeeded_at, command
    )
    yield _refused("prerequisite", refused)


def _preconditions(facts: Facts) -> Iterator[PreflightCheck]:
    for each in facts.preconditions:
        yield PreflightCheck(each.what, each.met, each.sentence, rule=PRECONDITION)
    for each in facts.lane_preconditions:
        if facts.emergency and not each.met:
            yield _emergency(facts, each.sentence)
        else:
            yield PreflightCheck(each.what, each.met, each.sentence, rule=PRECONDITION)


def _irreversible(candidate: Release) -> Iterator[PreflightCheck]:
    if candidate.irreversible:
        said = phrasebook.needs_people(candidate.version, candidate.irreversible)
        yield PreflightCheck("irreversible", True, said)


PRECONDITION = "precondition"
EMERGENCY = "emergency"


def _emergency(facts: Facts, missing: str) -> PreflightCheck:
    """Skip the prerequisite: only for a named role, with a reason, and announced."""
    roles = facts.config.emergency_roles
    if not facts.actor.roles & set(roles):
        refused = phrasebook.needs_role("skip that", roles, "emergency_role")
        return PreflightCheck(
            "prerequisite", False, f"{missing} {refused.sentence}", refused.rule, refused.remedy
        )
    if not facts.reason.strip():
        refused = phrasebook.reason_required("Say in a sentence why it cannot wait.")
        return PreflightCheck(
            "prerequisite", False, f"{missing} {refused.sentence}", refused.rule, refused.remedy
        )
    skipped = f"{facts.actor.name} skips it: {facts.reason.strip()}"
    return PreflightCheck(EMERGENCY, True, f"EMERGENCY: {missing} {skipped}")
