"""Refusals that concern a lane: locks, the panic stop, what runs there, and what must come first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.errors import Refused, UserError
from bot.domain.formatting import duration, stamp
from bot.domain.phrasebook.values import because, code, codes, name, sentence, unquoted


def locked(lane: str, owner: str, reason: str, since: datetime, expiry: datetime | None) -> Refused:
    """A person's lock."""
    return Refused(
        f"{name(lane)} was locked by {name(owner)} {stamp(since)}{because(reason)}. {_lock_end(expiry)}",
        rule="locked",
        remedy=_unlock(lane),
    )


def locked_after_rollback(lane: str, reason: str, since: datetime, expiry: datetime | None) -> Refused:
    """A lock that a rollback left, met by any other release or by `/lock`."""
    return Refused(
        f"{name(lane)} was locked {stamp(since)} by a rollback.{sentence(reason)} {_lock_end(expiry)}",
        rule="locked",
        remedy=_lift(lane),
    )


def quarantined(lane: str, version: str, reason: str, since: datetime) -> Refused:
    """The release that a rollback removed is asked for again."""
    return Refused(
        f"{name(version)} was quarantined in {name(lane)} {stamp(since)}.{sentence(reason)}",
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
    return Refused(f"{name(lane)} is not locked.", rule="not_locked")


def expiry_in_past() -> Refused:
    return Refused(
        "Expiry must be in the future.", rule="expires", remedy="Give a length such as `30m`, `2h` or `1d`."
    )


def panic_stop(by: str, reason: str, server: str = "") -> Refused:
    """`server`: named when the panic stop is on in another one that shares the lane."""
    where = f" in {name(server)}" if server else ""
    return Refused(
        f"{name(by)} switched the panic stop on{where}{because(reason)}.",
        rule="panic",
        remedy=f"Deploys are possible again after `/panic switch:off`{where}.",
    )


def lane_busy(lane: str, rollout_id: int, requester: str, version: str, phase: str) -> Refused:
    return Refused(
        f"Rollout #{rollout_id} is active in {name(lane)}: {name(requester)} is deploying {name(version)} "
        f"({name(phase)}).",
        rule="lane_busy",
        remedy="Wait until it ends, or roll it back.",
    )


def only_back_to(rollout_id: int, version: str, lane: str, stable: str) -> Refused:
    """Another release is asked for while a rollout is active. `stable`: where a rollback leads; empty for nowhere."""
    back = f"it can only go back to {name(stable)}" if stable else "there is no release to go back to"
    return Refused(
        f"Rollout #{rollout_id} of {name(version)} is active in {name(lane)}; {back}.",
        rule="lane_busy",
        remedy="Roll it back first, then return to the earlier release.",
    )


def already_running(service: str, version: str, environment: str) -> Refused:
    return Refused(
        f"{name(service)} {name(version)} already runs in {name(environment)}.", rule="already_running"
    )


def no_known_good(lane: str) -> UserError:
    return UserError(
        f"No earlier release is known good in {name(lane)}.", rule="no_known_good", remedy=_ANY_VERSION
    )


def not_known_good(version: str, lane: str, good: Sequence[str]) -> UserError:
    """`good`: the releases that are."""
    return UserError(
        f"{code(version)} is not known good in {name(lane)}: it did not complete there, or was rolled back.",
        rule="not_known_good",
        remedy=f"Known good: {codes(good)}." if good else _ANY_VERSION,
    )


def not_succeeded(version: str, environment: str, max_age_s: float) -> str:
    return f"{name(version)} has not succeeded in {name(environment)} within the last {duration(max_age_s)}."


def prerequisite(
    release: str, environment: str, max_age_s: float, last: datetime | None, command: str
) -> Refused:
    """`release`: service and version; `last`: when it last succeeded there; `command`: how to deploy there."""
    earlier = f"Its last success was {stamp(last)}." if last else "It never has."
    return Refused(
        f"{not_succeeded(release, environment, max_age_s)} {earlier}",
        rule="prerequisite",
        remedy=f"Run `{unquoted(command, 200) or '-'}` first.",
    )


def preconditions(unmet: Sequence[str]) -> Refused:
    """`unmet`: a sentence for each, of which three are shown."""
    said = "".join(sentence(each) for each in unmet[:3])
    return Refused(
        f"Preconditions are not met:{said}" if said else "Preconditions are not met.",
        rule="precondition",
        remedy="Deploy again once they are.",
    )


def not_adopted(lane: str, why: str) -> Refused:
    """The first look at a lane failed."""
    return Refused(
        f"Slipway does not know yet what runs in {name(lane)}{because(why)}.",
        rule="target_away",
        remedy="On the machine, `slipway doctor` shows what is wrong.",
    )


_ANY_VERSION = "`/deploy` takes any version and follows the plan."


def warm_over(version: str, kept: str) -> str:
    """In the audit log. kept: as a duration."""
    return f"{name(version)} was kept warm for {name(kept)} and is stopped now. A rollback starts it again."


def _lock_end(expiry: datetime | None) -> str:
    return f"The lock expires {stamp(expiry)}." if expiry else "The lock has no expiry."


def _unlock(lane: str) -> str:
    return f"To remove the lock: `/unlock {_place(lane)}`."


def _lift(lane: str) -> str:
    return f"To lift the quarantine: `/unlock {_place(lane)} reason:…`."


def _place(lane: str) -> str:
    service, _, environment = lane.partition("/")
    return f"service:{name(service)} environment:{name(environment)}"
