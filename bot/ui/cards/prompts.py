"""What a card asks of people: approvals, holds, pauses, locks, and what a rollback would be."""

from __future__ import annotations

from bot.domain.rollout.model import Approval, Phase, Readiness, Rollout, WordingKind
from bot.domain.rollout.steps import Gate
from bot.domain.rollout.wording import wording_for
from bot.engine.api import Lock, RolloutView
from bot.ui import escaping

_OUTCOMES = {
    "rollback": "it is rolled back",
    "wait": "it keeps waiting",
}


def asked(seen: RolloutView, with_readiness: bool) -> list[str]:
    """Paragraphs, most urgent first; only what this state calls for."""
    rollout = seen.rollout
    parts = [_pause(rollout), _hold(rollout), _gate(rollout), _approved(rollout)]
    if with_readiness and rollout.readiness is not None:
        parts.append(readiness_line(rollout.readiness, rollout.policy.words))
    if seen.lock is not None and rollout.phase.final:
        parts.append(lock_line(seen.lock))
    return [part for part in parts if part]


def readiness_line(readiness: Readiness, words: WordingKind = "traffic") -> str:
    """What a rollback would be, before anybody needs it."""
    if readiness.to_version is None:
        why = f": {escaping.sentence(readiness.problem, 200)}" if readiness.problem else ""
        return f"⚠️ **No way back:** there is no earlier release to return to{why}"
    to = escaping.code(readiness.to_version, 40)
    how = wording_for(words).warm if readiness.warm else wording_for(words).cold
    checked = (
        f" · checked {escaping.relative(readiness.checked_at)}" if readiness.checked_at else " · not checked"
    )
    if readiness.problem:
        return (
            f"⚠️ **The way back to {to} has a problem:** {escaping.sentence(readiness.problem, 200)}{checked}"
        )
    return f"↩️ **The way back:** {how.format(version=to)}{checked}"


def lock_line(lock: Lock) -> str:
    until = f", until {escaping.relative(lock.expires)}" if lock.expires else ", until somebody lifts it"
    why = f": {escaping.sentence(lock.reason, 200)}" if lock.reason else ""
    lift = f"`/unlock {escaping.name(lock.lane.service, 40)} {escaping.name(lock.lane.environment, 40)}`"
    return f"🔒 **Locked** by {escaping.plain(lock.owner, 60)}{until}{why}\n-# {lift} lifts it."


def people(approvals: tuple[Approval, ...]) -> str:
    return ", ".join(
        f"<@{a.actor_id}>" if a.actor_id > 0 else escaping.plain(a.actor_name, 40) for a in approvals
    )


def valid(rollout: Rollout) -> tuple[Approval, ...]:
    """Approvals of exactly this: what was sealed has not changed since."""
    return tuple(a for a in rollout.approvals if a.seal == rollout.seal)


def _gate(rollout: Rollout) -> str:
    gate = rollout.current
    if rollout.phase is not Phase.GATED or not isinstance(gate, Gate):
        return ""
    got = valid(rollout)
    role = escaping.plain(gate.role, 40)
    lines = [f"**Approvals: {len(got)} of {gate.quorum}**" + (f" · {people(got)}" if got else "")]
    but = "" if gate.allow_requester else ", but not whoever asked for it"
    lines.append(f"Anyone with **{role}** may approve{but}.")
    if rollout.step_done:
        lines.append("The quorum is reached; it goes on with **Resume**.")
    elif rollout.pause is not None:
        lines.append("⌛ Its time to approve stands still while it is paused.")
    elif rollout.deadline is not None:
        lines.append(f"⌛ Expires {escaping.relative(rollout.deadline)}; then it is cancelled.")
    return "\n".join(lines)


def _approved(rollout: Rollout) -> str:
    granted = tuple(approval for grant in rollout.grants for approval in grant.approvals)
    return f"-# Approved by {people(granted)}" if granted else ""


def _hold(rollout: Rollout) -> str:
    hold = rollout.hold
    if hold is None or rollout.phase is not Phase.HELD:
        return ""
    lines = [f"**Why it is held:** {escaping.sentence(hold.why, 400)}"]
    if hold.deadline is not None:
        lines.append(f"⌛ If nobody acts, {_OUTCOMES[hold.outcome]} {escaping.relative(hold.deadline)}.")
    else:
        lines.append("It waits until somebody acts.")
    lines.append("**Extend** measures longer, **Promote** goes on without a PASS, **Roll back** ends it.")
    got = valid(rollout)
    if got:
        lines.append(f"Promote: {len(got)} of {rollout.policy.promote_quorum} · {people(got)}")
    return "\n".join(lines)


def _pause(rollout: Rollout) -> str:
    pause = rollout.pause
    if pause is None or rollout.phase.final:
        return ""
    what = "Panic stop" if pause.panic else "Paused"
    why = f": {escaping.plain(pause.reason, 300)}" if pause.reason else ""
    still = "Nothing moves forward; a failing judge and **Roll back** still act."
    still += " `/panic off` lets everything go on." if pause.panic and not pause.own_by else ""
    still += f" {escaping.plain(pause.own_by, 60)} had paused this one already." if pause.own_by else ""
    return f"⏸️ **{what}** by {escaping.plain(pause.by, 60)} {escaping.relative(pause.since)}{why}\n-# {still}"
