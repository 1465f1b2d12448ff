"""Phrasebook: what Slipway says often, each message written once.

A message is a sentence, or a refusal ready to raise. Its values come from people and other systems, so each is put on
one line and shortened here: a long reason must not cut off the way out at the end. Times are stamps, which the screen
that shows the message formats (`formatting.with_times`). Parameters of type `LiteralString` are words of our own.
Nothing here formats for Discord beyond `code` and **bold**.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from bot.domain.errors import Refused, UserError
from bot.domain.formatting import counted, duration, one_line, stamp

_NAME, _REASON = 60, 300
_LISTED = 5

# ---- where a rollout stands --------------------------------------------------------------------------------------

HALTED = "Halted: manual action required"
WAITING_FOR_APPROVAL = "Waiting for approval"
ROLLED_BACK_NEXT = "Users are safe. Find the cause before deploying again."
HALTED_NEXT = (
    "Open the card. **Roll back** tries again; **Close** ends the rollout and leaves everything as it is."
)
PAUSED_STILL = "Nothing moves forward. A failing judge and **Roll back** still work."
NO_EXPIRY = "until it is unlocked"
NOTHING_OLDER = "Nothing older."


def on_hold(share: str) -> str:
    """`share`: `25%`, or empty where a rollout has no traffic to speak of."""
    return f"On hold{f' at {_name(share)}' if share else ''}: decision needed"


def expires(at: datetime) -> str:
    return f"Expires {stamp(at)}; the rollout is then cancelled."


def unless_decided(outcome: LiteralString, at: datetime | None) -> str:
    """What happens to a rollout on hold without a decision. `outcome`: `rollback` or `wait`."""
    if at is None or outcome != "rollback":
        return "It stays on hold until someone decides."
    return f"If no one acts, it is rolled back {stamp(at)}."


def approvals_needed(many: int, role: str) -> str:
    return f"Needs {counted(many, 'approval')} from {_code(role)}."


def already_done(outcome: str) -> str:
    return f"Already done.{_sentence(outcome)}"


def panic_on(held: int, reason: str) -> str:
    return (
        f"**Panic stop is on**{_because(reason)}. {counted(held, 'rollout')} paused; nothing moves forward until "
        "`/panic off`. A failing judge and **Roll back** still work."
    )


def panic_off(resumed: int, reason: str) -> str:
    return f"**Panic stop is off**{_because(reason)}. {counted(resumed, 'rollout')} resumed."


def more(left_out: int, where: LiteralString = "") -> str:
    """Ends a list that was cut. `where`: how to see the rest."""
    return f"… and {left_out} more{f': {where}' if where else ''}"


# ---- refusals ----------------------------------------------------------------------------------------------------


def needs_role(action: LiteralString, roles: Sequence[str], rule: LiteralString = "role") -> Refused:
    """`action`: what the person wanted, as in `deploy here`."""
    if not roles:
        remedy = "Add one to the policy of this environment in the catalog."
        return Refused(f"No role is allowed to {action}.", rule=rule, remedy=remedy)
    sentence = f"You need the role {_either(roles)} to {action}."
    return Refused(sentence, rule=rule, remedy="Ask someone who has it.")


def reason_required(how: LiteralString) -> Refused:
    """`how`: where to give it, as a sentence."""
    return Refused("A reason is required.", rule="reason", remedy=how)


def too_fast(wait_s: float, category: LiteralString) -> Refused:
    seconds = max(1, math.ceil(wait_s))
    again = counted(seconds, "second") if seconds < 120 else duration(seconds)
    return Refused("You're going too fast.", rule=f"rate_limit_{category}", remedy=f"Try again in {again}.")


def unknown(what: LiteralString, given: str, near: Sequence[str], where: str = "") -> UserError:
    """A name that does not exist. `near`: the closest ones that do; `where`: as in `of checkout`."""
    remedy = f"Did you mean {_either(near)}?" if near else ""
    return UserError(
        f"There is no {what} {_code(given)}{f' {_name(where)}' if where else ''}.",
        rule=f"unknown_{what}",
        remedy=remedy,
    )


def no_rollout(rollout_id: int) -> UserError:
    return UserError(
        f"There is no rollout #{rollout_id} on this server.",
        rule="unknown_rollout",
        remedy="`/history` lists the rollouts.",
    )


def unknown_server() -> Refused:
    return Refused(
        "Slipway does not serve this server.",
        rule="unknown_guild",
        remedy="The Slipway operator can add it under `guilds` in the catalog.",
    )


def locked(lane: str, owner: str, reason: str, since: datetime, expiry: datetime | None) -> Refused:
    """A person's lock."""
    return Refused(
        f"{_name(lane)} was locked by {_name(owner)} {stamp(since)}{_because(reason)}. {_lock_end(expiry)}",
        rule="locked",
        remedy=_unlock(lane),
    )


def locked_after_rollback(lane: str, reason: str, since: datetime, expiry: datetime | None) -> Refused:
    """A lock that a rollback left, met by any other release or by `/lock`."""
    return Refused(
        f"{_name(lane)} was locked {stamp(since)} by a rollback.{_sentence(reason)} {_lock_end(expiry)}",
        rule="locked",
        remedy=_lift(lane),
    )


def quarantined(lane: str, version: str, reason: str, since: datetime) -> Refused:
    """The release that a rollback removed is asked for again."""
    return Refused(
        f"{_name(version)} was quarantined in {_name(lane)} {stamp(since)}.{_sentence(reason)}",
        rule="quarantined",
        remedy=f"Deploy a fixed version. {_lift(lane)}",
    )


def quarantine_needs_reason(lane: str) -> Refused:
    return Refused(
        "A reason is required.",
        rule="reason",
        remedy=f"Say what has changed since the rollback. {_lift(lane)}",
    )


def not_locked(lane: str) -> Refused:
    return Refused(f"{_name(lane)} is not locked.", rule="not_locked")


def expiry_in_past() -> Refused:
    return Refused(
        "Expiry must be in the future.", rule="expires", remedy="Give a length such as `30m`, `2h` or `1d`."
    )


def panic_stop(by: str, reason: str, server: str = "") -> Refused:
    """`server`: named when the panic stop is on in another one that shares the lane."""
    where = f" in {_name(server)}" if server else ""
    return Refused(
        f"{_name(by)} switched the panic stop on{where}{_because(reason)}.",
        rule="panic",
        remedy=f"Deploys are possible again after `/panic off`{where}.",
    )


def lane_busy(lane: str, rollout_id: int, requester: str, version: str, phase: str) -> Refused:
    return Refused(
        f"Rollout #{rollout_id} is active in {_name(lane)}: {_name(requester)} is deploying {_name(version)} "
        f"({_name(phase)}).",
        rule="lane_busy",
        remedy="Wait until it ends, or roll it back.",
    )


def already_running(service: str, version: str, environment: str) -> Refused:
    return Refused(
        f"{_name(service)} {_name(version)} already runs in {_name(environment)}.", rule="already_running"
    )


def other_application(backup_id: int, owner: str, asked: str, where: LiteralString) -> UserError:
    """A backup of another application. `where`: the command that lists backups."""
    return UserError(
        f"Backup {backup_id} belongs to {_code(owner)}, not to {_code(asked)}.",
        rule="other_application",
        remedy=f"`{where}` lists the backups of an application.",
    )


# ---- when something failed -----------------------------------------------------------------------------------------

_BRAKE = "To stop a rollout right now, run on the machine: `slipway abort SERVICE ENVIRONMENT`"


def unreachable() -> str:
    return (
        "**Nothing was recorded and nothing changed:** Slipway cannot reach its database or the target. "
        f"Try again in a moment.\n{_BRAKE}"
    )


def not_confirmed() -> str:
    return (
        "**Not confirmed:** the database did not answer in time. If your request was recorded, the card shows it. "
        f"Repeating it is safe.\n{_BRAKE}"
    )


def internal_error(reference: str) -> str:
    return (
        "Something went wrong inside Slipway. "
        f"Give the Slipway operator this reference; the log has the details: {_code(reference)}"
    )


def command_changed() -> str:
    return "This command has just changed. Try again in a minute."


def outdated_button() -> str:
    return "This button is from another version of Slipway. `/status` shows what is going on now."


# ---- values --------------------------------------------------------------------------------------------------------


def _name(value: str) -> str:
    return _unquoted(value, _NAME) or "-"


def _code(value: str) -> str:
    return f"`{_name(value)}`"


def _because(reason: str) -> str:
    said = _unquoted(reason, _REASON).rstrip(". ")
    return f": {said}" if said else ""


def _sentence(reason: str) -> str:
    said = _unquoted(reason, _REASON).rstrip(". ")
    return f" {said}." if said else ""


def _unquoted(value: str, longest: int) -> str:
    """On one line and without backticks, which would open or end a code span of ours."""
    return one_line(value.replace("`", "'"), longest)


def _either(names: Sequence[str]) -> str:
    shown = [_code(name) for name in names[:_LISTED]]
    return " or ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _lock_end(expiry: datetime | None) -> str:
    return f"The lock expires {stamp(expiry)}." if expiry else "The lock has no expiry."


def _unlock(lane: str) -> str:
    service, _, environment = lane.partition("/")
    return f"To remove the lock: `/unlock service:{_name(service)} environment:{_name(environment)}`."


def _lift(lane: str) -> str:
    service, _, environment = lane.partition("/")
    place = f"service:{_name(service)} environment:{_name(environment)}"
    return f"To lift the quarantine: `/unlock {place} reason:…`."
