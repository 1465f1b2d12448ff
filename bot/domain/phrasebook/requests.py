"""Refusals of any request: roles, rates, reasons, names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import LiteralString

from bot.domain.errors import Refused, UserError
from bot.domain.formatting import counted, duration
from bot.domain.phrasebook.values import code, either, name


def needs_role(action: LiteralString, roles: Sequence[str], rule: LiteralString = "role") -> Refused:
    """`action`: what the person wanted, as in `deploy here`."""
    if not roles:
        remedy = "Add one to the policy of this environment in the catalog."
        return Refused(f"No role is allowed to {action}.", rule=rule, remedy=remedy)
    sentence = f"You need the role {either(roles)} to {action}."
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
    remedy = f"Did you mean {either(near)}?" if near else ""
    return UserError(
        f"There is no {what} {code(given)}{f' {name(where)}' if where else ''}.",
        rule=f"unknown_{what}",
        remedy=remedy,
    )


def no_rollout(rollout_id: int) -> UserError:
    return UserError(
        f"There is no rollout #{rollout_id} on this server.",
        rule="unknown_rollout",
        remedy="`/history` lists the rollouts.",
    )


def never_rolled_out(lane: str) -> UserError:
    return UserError(
        f"There was no rollout of {code(lane)} yet.",
        rule="unknown_rollout",
        remedy="`/history` lists the rollouts.",
    )


def unknown_server() -> Refused:
    return Refused(
        "Slipway does not serve this server.",
        rule="unknown_guild",
        remedy="The Slipway operator can add it under `guilds` in the catalog.",
    )


def not_in_server(server: str) -> Refused:
    return Refused(
        f"You are no longer in the server {code(server)}, which this is about.",
        rule="not_a_member",
        remedy="Ask someone who is.",
    )


def bad_duration(given: str) -> UserError:
    """A text that is not the duration of a lock."""
    return UserError(
        f"{code(given)} is not a valid duration.",
        rule="bad_duration",
        remedy="Use `30m`, `2h` or `1d 12h`, up to a year, or leave it out to lock until `/unlock`.",
    )
