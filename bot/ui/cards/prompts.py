"""What a card asks of people: approvals, decisions on hold, pauses, locks, rollback readiness."""

from __future__ import annotations

from bot.domain import phrasebook
from bot.domain.rollout.machine.approvals import to_promote
from bot.domain.rollout.model import Approval, Lane, Phase, Readiness, Rollout, WordingKind
from bot.domain.rollout.soaks import ShortSoaks, short_soaks
from bot.domain.rollout.steps import Gate
from bot.domain.rollout.steps.gate import needed
from bot.domain.rollout.wording import wording_for
from bot.engine.api import Lock, RolloutView
from bot.ui import escaping

# Where people decide whether traffic moves on.
_BEFORE_A_SOAK = frozenset({Phase.GATED, Phase.HELD})


def asked(seen: RolloutView, with_readiness: bool) -> list[str]:
    """Paragraphs, most urgent first; only those of this state."""
    rollout = seen.rollout
    parts = [_pause(rollout), _irreversible(rollout), _hold(rollout), _gate(rollout), _short_soaks(rollout)]
    parts.append(_approved(rollout))
    if with_readiness and rollout.readiness is not None:
        parts.append(readiness_line(rollout.readiness, rollout.policy.words))
    if seen.lock is not None and rollout.phase.final:
        parts.append(lock_line(seen.lock))
    return [part for part in parts if part]


def readiness_line(readiness: Readiness, words: WordingKind = "traffic") -> str:
    """What a rollback would do, before anyone needs it."""
    if readiness.to_version is None:
        why = f": {escaping.sentence(readiness.problem, 200)}" if readiness.problem else ""
        return f"⚠️ **No rollback possible:** there is no earlier release to return to{why}"
    to = escaping.code(readiness.to_version, 40)
    how = wording_for(words).warm if readiness.warm else wording_for(words).cold
    checked = (
        f" · checked {escaping.relative(readiness.checked_at)}" if readiness.checked_at else " · not checked"
    )
    if readiness.problem:
        return f"⚠️ **A rollback to {to} has a problem:** {escaping.sentence(readiness.problem, 200)}{checked}"
    return f"↩️ **Rollback:** {how.format(version=to)}{checked}"


def short_soaks_line(short: ShortSoaks, lane: Lane) -> str:
    """Before traffic moves: that the judge will find little."""
    return f"⚠️ **Little evidence:** {escaping.sentence(short.sentence(lane), 400)}"


def _short_soaks(rollout: Rollout) -> str:
    if rollout.phase not in _BEFORE_A_SOAK:
        return ""
    short = short_soaks(rollout.plan, rollout.policy.judge)
    return short_soaks_line(short, rollout.lane) if short is not None else ""


def lock_line(lock: Lock) -> str:
    until = f"expires {escaping.relative(lock.expires)}" if lock.expires else phrasebook.NO_EXPIRY
    why = f": {escaping.sentence(lock.reason, 200)}" if lock.reason else ""
    lift = f"/unlock {escaping.name(lock.lane.service, 40)} {escaping.name(lock.lane.environment, 40)}"
    if lock.digest:
        said = f"🔒 **Quarantined** by {escaping.plain(lock.owner, 60)}, {until}{why}"
        return f"{said}\n-# To lift it, with a reason: `{lift} reason:…`"
    return f"🔒 **Locked** by {escaping.plain(lock.owner, 60)}, {until}{why}\n-# To remove it: `{lift}`"


def people(approvals: tuple[Approval, ...]) -> str:
    return ", ".join(
        f"<@{a.actor_id}>" if a.actor_id > 0 else escaping.plain(a.actor_name, 40) for a in approvals
    )


def valid(rollout: Rollout) -> tuple[Approval, ...]:
    """Approvals for exactly this seal."""
    return tuple(a for a in rollout.approvals if a.seal == rollout.seal)


def _gate(rollout: Rollout) -> str:
    gate = rollout.current
    if rollout.phase is not Phase.GATED or not isinstance(gate, Gate):
        return ""
    got = valid(rollout)
    role = escaping.plain(gate.role, 40)
    lines = [f"**Approvals: {len(got)} of {needed(rollout, gate)}**" + (f" · {people(got)}" if got else "")]
    but = "" if gate.allow_requester else " except the requester"
    lines.append(f"Anyone with **{role}**{but} can approve.")
    if rollout.extra_approvals and not gate.allow_requester:
        lines.append(phrasebook.one_approval_more(gate.quorum))
    if rollout.step_done:
        lines.append("All approvals are in. **Resume** continues the rollout.")
    elif rollout.pause is not None:
        lines.append("⌛ The approval deadline does not run while the rollout is paused.")
    elif rollout.deadline is not None:
        lines.append(f"⌛ {escaping.times(phrasebook.expires(rollout.deadline))}")
    return "\n".join(lines)


def _approved(rollout: Rollout) -> str:
    granted = tuple(approval for grant in rollout.grants for approval in grant.approvals)
    return f"-# Approved by {people(granted)}" if granted else ""


def _irreversible(rollout: Rollout) -> str:
    """What cannot be undone: of the candidate, and on the way back of the release that it replaces."""
    if rollout.phase.final:
        return ""
    candidate, stable = rollout.candidate, rollout.stable
    lines = []
    if candidate.irreversible and not (rollout.hold is not None and rollout.hold.for_people):  # which says it
        lines.append(phrasebook.needs_people(candidate.version, candidate.irreversible))
    changes = rollout.changes
    goes_back = rollout.known_good or (changes is not None and changes.removed and not changes.added)
    if rollout.undone:
        lines.append(rollout.undone)
    elif goes_back and stable is not None and stable.irreversible:
        lines.append(phrasebook.irreversible(stable.version, stable.irreversible))
    return "\n".join(f"⚠️ {escaping.sentence(line, 600)}" for line in lines)


def _hold(rollout: Rollout) -> str:
    hold = rollout.hold
    if hold is None or rollout.phase is not Phase.HELD:
        return ""
    lines = [f"**Reason:** {escaping.sentence(hold.why, 400)}"]
    lines.append(f"⌛ {escaping.times(phrasebook.unless_decided(hold.outcome, hold.deadline))}")
    if hold.for_people:
        lines.append("**Promote** continues without a PASS, **Roll back** ends it after a confirmation.")
    else:
        lines.append(
            "**Extend** measures longer, **Promote** continues without a PASS, **Roll back** ends it."
        )
    got = valid(rollout)
    if got:
        lines.append(f"Votes for Promote: {len(got)} of {to_promote(rollout)} · {people(got)}")
    return "\n".join(lines)


def _pause(rollout: Rollout) -> str:
    pause = rollout.pause
    if pause is None or rollout.phase.final:
        return ""
    what = "Panic stop" if pause.panic else "Paused"
    why = f": {escaping.plain(pause.reason, 300)}" if pause.reason else ""
    still = phrasebook.PAUSED_STILL
    still += " `/panic switch:off` resumes everything." if pause.panic and not pause.own_by else ""
    still += f" {escaping.plain(pause.own_by, 60)} had already paused this rollout." if pause.own_by else ""
    return f"⏸️ **{what}** by {escaping.plain(pause.by, 60)} {escaping.relative(pause.since)}{why}\n-# {still}"
