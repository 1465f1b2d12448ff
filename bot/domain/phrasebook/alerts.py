"""What an alert's timeline and its calls say, and refusals of actions on one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.errors import Refused, UserError
from bot.domain.formatting import counted, stamp
from bot.domain.phrasebook.values import because, code, name, sentence, unquoted


def all_well() -> str:
    return "Nothing is wrong any more."


def alert_resolved() -> str:
    return "It stayed well, so the alert is resolved."


def severity_rose(before: str, now: str) -> str:
    return f"It is {name(now)} now; it was {name(before)}."


def silence_over() -> str:
    return "The silence is over, and the trouble is not."


def silenced_for(length: str, reason: str) -> str:
    return f"Silenced for {name(length)}{because(reason)}."


def silence_holds(silence_id: int, by: str, reason: str) -> str:
    return f"Silence {silence_id} of {name(by)} keeps it silent{because(reason)}."


def silence_added(about: str, since: datetime, until: datetime) -> str:
    return f"{name(about)} is silent from {stamp(since)} to {stamp(until)}. Alerts are shown and call no one."


def no_silences() -> str:
    return "Nothing is silenced, and no silence is planned."


def silence_about_nothing() -> UserError:
    return UserError(
        "Say what to silence.",
        rule="silence_about_nothing",
        remedy="Name a service, an environment or labels.",
    )


def bad_labels(given: str) -> UserError:
    return UserError(
        f"{code(given)} cannot be read as labels.",
        rule="bad_labels",
        remedy="Write at most ten of them, such as `check=health, pod=web-1`.",
    )


def silence_order(since: datetime, until: datetime) -> UserError:
    return UserError(
        f"The silence would end {stamp(until)}, before it begins {stamp(since)}.",
        rule="silence_order",
        remedy="Give an end after the beginning.",
    )


def silence_too_long(days: int) -> UserError:
    return UserError(
        f"A silence lasts {counted(days, 'day')} at most.",
        rule="silence_too_long",
        remedy="For longer, change the rules in the catalog.",
    )


def silence_past(until: datetime) -> UserError:
    return UserError(
        f"The silence would already have ended {stamp(until)}.",
        rule="silence_past",
        remedy="Give an end in the future.",
    )


def too_many_silences(most: int) -> Refused:
    return Refused(
        f"There are {counted(most, 'silence')} already.",
        rule="too_many_silences",
        remedy="End some of them: `/silence list`.",
    )


def no_silence(silence_id: int) -> UserError:
    return UserError(
        f"There is no silence {silence_id} here, or it is over.",
        rule="unknown_silence",
        remedy="`/silence list` shows those that are not over.",
    )


def still_on_it(owner: str) -> str:
    return f"{name(owner)} acknowledged this, and it is not over. Still on it? Press Acknowledge again."


def no_answer_from(owner: str) -> str:
    return f"{name(owner)} did not say whether they still have it, so the escalation goes on."


def not_acknowledged(waited: str) -> str:
    return f"No one has acknowledged this for {name(waited)}."


def not_written_to(person: str, why: str) -> str:
    """Someone whom a direct message did not reach."""
    return f"{name(person)} did not get a direct message{because(why)}."


def call_not_posted(why: str) -> str:
    """Of a call that no channel of the server takes."""
    return f"The call could not be posted in any channel{because(why)}."


def direct_taken(owner: str) -> str:
    """At the end of a direct message about an alert that has an owner."""
    return f"{name(owner)} has it."


def direct_over() -> str:
    """At the end of a direct message about an alert that is over."""
    return "It is over."


MANY_ALERTS = "Many alerts wait for someone"


def many_alerts_wait() -> str:
    return "There are too many to announce one by one. `/alerts` lists them, worst first."


def card_left_out(most: int, within: str) -> str:
    """What the timeline says of an alert that a storm left out: its card was to call the first people."""
    came = f"more than {counted(most, 'alert')} came within {name(within)}"
    return f"They were not called: {came}, so it has no card yet."


def lines_left_out(number: int) -> str:
    """In a long timeline, where its beginning ends and its newest part begins."""
    return f"Left out here: {counted(number, 'line')}."


def lane_lines_left_out(until: datetime) -> str:
    """The same of the lines of a lane's audit log."""
    return f"Lines of the lane's audit log until {stamp(until)} are left out here."


def lead_wanted(waited: str) -> str:
    return f"No one has acknowledged this for {name(waited)}. Who leads this incident? Say so in the thread."


def escalated_by(who: str, reason: str) -> str:
    return f"{name(who)} asks for help{because(reason)}."


def rollback_begun(rollout_id: int) -> str:
    return f"A rollback was started: rollout {rollout_id}."


def rollback_delayed() -> str:
    return "The rollback could not be started yet. Slipway tries again until it is."


def rollback_not_needed() -> str:
    return "No rollback was started: the trouble was over first."


def rollback_superseded(lane: str) -> str:
    return f"No rollback was started: something else was rolled out in {name(lane)} first."


def no_alerts_there(lane: str) -> str:
    return f"No alert is open in {name(lane)}, and there was none since this release began there."


def alerts_there(lane: str, is_open: Sequence[str], since: Sequence[str]) -> str:
    """is_open, since: titles of alerts that are open, and of those that are over."""
    shown = ", ".join(f"“{name(title)}”" for title in (*is_open, *since)[:3])
    more = len(is_open) + len(since) - 3
    said = f": {shown} and {more} more" if more > 0 else because(shown)
    if is_open:
        return f"An alert is open in {name(lane)}{said}."
    return f"There was an alert in {name(lane)} since this release began there{said}."


def budget_left(lane: str, left: str) -> str:
    return f"{name(lane)} has {name(left)} of this week's error budget left."


def budget_unknown(lane: str) -> str:
    return f"No requests to {name(lane)} counted this week, so all of its error budget is left."


def budget_spent(lane: str) -> str:
    return f"{name(lane)} has spent this week's error budget. A rollback is possible at any time."


def alert_is_over(alert_id: int) -> Refused:
    return Refused(
        f"Alert {alert_id} is over.",
        rule="over",
        remedy="If the trouble is back, a new alert has a card of its own.",
    )


def rollback_of_alert_over(alert_id: int) -> Refused:
    return Refused(
        f"Alert {alert_id} is over, so nothing is rolled back from its card.",
        rule="over",
        remedy="`/rollback` still returns to an earlier release.",
    )


def another_deploy(version: str) -> Refused:
    """A button that names the release before another deploy than the one that is suspected now."""
    return Refused(
        f"Another deploy is now the plausible cause: a rollback would return to {code(version)}.",
        rule="no_suspect",
        remedy="Use the button on the current card.",
    )


def incident_of_alert_over(alert_id: int) -> Refused:
    return Refused(
        f"Alert {alert_id} is over, so its card opens no incident.",
        rule="over",
        remedy=f"`/incident open alert:{alert_id}` still opens one.",
    )


def alert_taken(alert_id: int, who: str) -> Refused:
    return Refused(
        f"{name(who)} has alert {alert_id} already.",
        rule="taken",
        remedy="Acknowledge on the alert's card takes it over.",
    )


def alert_not_silent(alert_id: int) -> Refused:
    return Refused(f"Alert {alert_id} is not silent any more.", rule="over")


def no_alert(alert_id: int) -> UserError:
    return UserError(f"There is no alert {alert_id} here.", rule="no_alert")


def not_your_alert(action: str, roles: str) -> Refused:
    some = f"one of the roles {unquoted(roles, 200) or '-'}"
    return Refused(
        f"To {name(action)} an alert you need {some}, or to have acknowledged it yourself.",
        rule="role",
        remedy="Acknowledge it first, or ask the person on call.",
    )


def nothing_to_roll_back(lane: str) -> Refused:
    return Refused(
        f"No deploy is a plausible cause of this alert any more, so {code(lane)} is not rolled back from here.",
        rule="no_suspect",
        remedy="`/rollback` still returns to an earlier release.",
    )


def because_of_alert(alert_id: int, title: str) -> str:
    return f"Alert {alert_id}: {name(title)}."


def would_roll_back(version: str, to: str) -> str:
    return f"Slipway would roll {name(version)} back to {name(to)} now, but it only watches here (`watch: rollback`)."


def not_rolled_back(why: str) -> str:
    return f"It could not be rolled back.{sentence(why)}"
