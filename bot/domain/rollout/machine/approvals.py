"""Approvals: roles, quorum, seal and expiry. Checked at the press, against the roles that the person has then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, LiteralString

from bot.domain import phrasebook
from bot.domain.errors import Refused
from bot.domain.judge import judge
from bot.domain.rollout.binding import LaneBinding
from bot.domain.rollout.events import Acted
from bot.domain.rollout.model import Action, Actor, Approval, Lane, Plan, Policy, Release, Rollout
from bot.domain.rollout.steps import Gate
from bot.domain.rollout.steps.gate import needed

VOTES = frozenset({Action.APPROVE, Action.REVOKE, Action.REJECT})
# A form or a request without a reason is refused. Roll back never asks: at 3 a.m. it is one press.
NEEDS_REASON = frozenset({Action.REJECT, Action.PROMOTE, Action.CLOSE})


def seal_of(
    *,
    rollout_id: int,
    guild_id: int,
    lane: Lane,
    stable: Release | None,
    candidate: Release,
    plan: Plan,
    policy: Policy,
    binding: LaneBinding | None = None,
    requester: Actor | None = None,
    extra_approvals: int = 0,
) -> str:
    """SHA-256 in hex of everything that an approver approves. Equal content gives an equal seal.

    Without a binding, as rollouts of earlier versions were sealed.
    """
    plain = _plain if binding is None else _lean
    content: dict[str, Any] = {
        "rollout": rollout_id,
        "guild": guild_id,
        "lane": [lane.service, lane.environment],
        "from": stable.digest if stable else None,
        "to": candidate.digest,
        "plan": plain(plan),
        "policy": plain(policy),
    }
    if candidate.irreversible:
        content["irreversible"] = candidate.irreversible
    if binding is not None:
        content |= {"binding": _lean(binding), "spec": _plain(candidate.spec)}
    if requester is not None and (requester.person is not None or extra_approvals):
        content["requester"] = [sorted(requester.ids), extra_approvals]
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def same(release: Release, other: Release) -> bool:
    """Whether both are one release that runs in the same way, however each was stored."""
    return release.digest == other.digest and _plain(release.spec) == _plain(other.spec)


def seal_now(rollout: Rollout) -> str:
    """The seal of what the rollout holds now; another one than `rollout.seal` when that was changed since."""
    return seal_of(
        rollout_id=rollout.id,
        guild_id=rollout.guild_id,
        lane=rollout.lane,
        stable=rollout.stable,
        candidate=rollout.candidate,
        plan=rollout.plan,
        policy=rollout.policy,
        binding=rollout.binding,
        requester=rollout.requester,
        extra_approvals=rollout.extra_approvals,
    )


def may(rollout: Rollout, action: Action, actor: Actor) -> Refused | None:
    """None when `actor` may take this action, else the refusal, which names who may. Ignores the phase."""
    if actor.via == "system":
        by_itself = action not in (Action.APPROVE, Action.PROMOTE)
        return None if by_itself else phrasebook.people_only()
    policy = rollout.policy
    asked = actor.id in rollout.requester.ids
    if action in VOTES:
        return _may_vote(rollout, action, actor, asked)
    if action is Action.PROMOTE:
        if asked:
            return phrasebook.own_rollout("promote", policy.promote_role)
        return _needs(action, actor, (policy.promote_role,))
    # The requester may stop their own rollout, unless they lost all their roles.
    requester = asked and bool(actor.roles)
    if action in (Action.ROLL_BACK, Action.CLOSE):
        return None if requester else _needs(action, actor, policy.rollback_roles)
    return None if requester else _needs(action, actor, policy.operate_roles)


def _may_vote(rollout: Rollout, action: Action, actor: Actor, requester: bool) -> Refused | None:
    gate = rollout.current
    if not isinstance(gate, Gate):
        return phrasebook.no_gate()
    if action is Action.APPROVE and requester and not gate.allow_requester:
        return phrasebook.own_rollout("approve", gate.role)
    return _needs(action, actor, (gate.role,))


def _needs(action: Action, actor: Actor, roles: tuple[str, ...]) -> Refused | None:
    return None if actor.roles & set(roles) else phrasebook.needs_role(WORDS[action], roles)


WORDS: Mapping[Action, LiteralString] = {
    Action.APPROVE: "approve",
    Action.REJECT: "reject",
    Action.REVOKE: "revoke an approval",
    Action.PAUSE: "pause",
    Action.RESUME: "resume",
    Action.EXTEND: "extend",
    Action.PROMOTE: "promote",
    Action.ROLL_BACK: "roll back",
    Action.CANCEL: "cancel",
    Action.CLOSE: "close",
}


def expiry(rollout: Rollout, now: datetime) -> datetime | None:
    """When the present gate expires. Paused time does not count."""
    if rollout.deadline is None or rollout.pause is None:
        return rollout.deadline
    return rollout.deadline + (now - rollout.pause.since)


def to_promote(rollout: Rollout) -> int:
    """How many people have to vote to continue without PASS."""
    return rollout.policy.promote_quorum + rollout.extra_approvals


def unknown_person(requester: Actor) -> int:
    """One approval more where no one knows which person asks: they could be among those who approve.

    A token of the HTTP API has an owner, so its `id` is a person's.
    """
    return 1 if requester.via == "cli" and requester.person is None else 0


def vote(rollout: Rollout, acted: Acted) -> Approval:
    """The approval that this press gives. Raises `Refused` after the expiry."""
    if not isinstance(rollout.current, Gate):
        return Approval(acted.actor.id, acted.actor.name, acted.at, rollout.seal)
    ends = expiry(rollout, acted.at)
    if ends is not None and acted.at >= ends:
        raise phrasebook.gate_expired()
    return Approval(acted.actor.id, acted.actor.name, acted.at, rollout.seal)


def votes(rollout: Rollout, approvals: tuple[Approval, ...]) -> int:
    """How many people gave those approvals: each counts once, and only for the present seal."""
    return len({a.actor_id for a in approvals if a.seal == rollout.seal})


def cleared(rollout: Rollout) -> bool:
    """Whether every gate before the present step was passed by its quorum for this seal, or needs none."""
    if rollout.known_good:
        return True
    granted = {grant.step: grant.approvals for grant in rollout.grants}
    gates = [(i, step) for i, step in enumerate(rollout.plan.steps[: rollout.step]) if isinstance(step, Gate)]
    return all(_valid(rollout, gate, granted.get(i, ())) for i, gate in gates)


def covers(rollout: Rollout, gate: Gate) -> bool:
    """Whether people have already given what `gate` asks for, at a gate of this rollout for the same role."""
    granted = {grant.step: grant.approvals for grant in rollout.grants}
    return any(
        isinstance(step, Gate) and step.role == gate.role and _valid(rollout, gate, granted.get(i, ()))
        for i, step in enumerate(rollout.plan.steps)
    )


def _valid(rollout: Rollout, gate: Gate, approvals: tuple[Approval, ...]) -> bool:
    own = any(a.actor_id in rollout.requester.ids for a in approvals)
    return votes(rollout, approvals) >= needed(rollout, gate) and (gate.allow_requester or not own)


def _lean(value: Any) -> Any:
    """Like `_plain`, without fields that have their default: a field that a later version adds breaks no seal."""
    if hasattr(value, "__dataclass_fields__"):
        said = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
        return {name: _lean(each) for name, each in said.items() if name == "kind" or not _usual(value, name)}
    if isinstance(value, Mapping):
        return {str(key): _lean(each) for key, each in value.items()}
    return [_lean(each) for each in value] if isinstance(value, (tuple, list)) else _plain(value)


def _usual(value: Any, name: str) -> bool:
    """Whether the field has its default: the first that it ever had, since seals of that time leave it out."""
    found = value.__dataclass_fields__[name]
    if "first_default" in found.metadata:
        return bool(getattr(value, name) == found.metadata["first_default"])
    usual = found.default_factory() if found.default_factory is not MISSING else found.default
    return bool(getattr(value, name) == usual)


def _plain(value: Any) -> Any:
    """JSON values. Numbers are written as floats, since a stored 5 comes back as 5.0 and means the same."""
    if isinstance(value, judge.JudgePolicy):
        return _plain(judge.policy_to_json(value))
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
