"""On call: hand-overs, gaps, and overrides that are refused."""

from __future__ import annotations

from datetime import datetime

from bot.domain.errors import Refused, UserError
from bot.domain.formatting import counted, duration, stamp
from bot.domain.phrasebook.values import because, code, name, sentence

ON_CALL_LATER = "No one takes over in the next four weeks."
ANSWER_PAGE = "This is a test: press **I'm here** within 15 minutes, to show that alerts reach you."
TAKE_OVER = "`/oncall override` gives the time to a person."


def hands_over(person: str, to: str, at: datetime) -> str:
    """The next hand-over. `to`: empty where no one takes over."""
    if not to:
        return f"After {name(person)} no one is on call: the shift ends {stamp(at)}."
    return f"{name(person)} hands over to {name(to)} {stamp(at)}."


def no_hand_over(person: str) -> str:
    return f"{name(person)} stays on call: there is no one to hand over to."


def takes_over(person: str, at: datetime) -> str:
    """The end of a gap."""
    return f"{name(person)} takes over {stamp(at)}."


def no_one_on_call(schedule: str, since: datetime, until: datetime, why: str) -> str:
    """A gap of the next weeks. Show its times as dates, not as how far away they are."""
    return f"No one is on call for {name(schedule)} from {stamp(since)} to {stamp(until)}.{sentence(why)}"


def left_the_server(person: str) -> str:
    """Someone on call who cannot be reached."""
    return f"{name(person)} is not in this server and cannot be called."


def overrides_on_call(schedule: str, person: str, since: datetime, until: datetime) -> str:
    """What an override that begins later changes."""
    return f"{name(person)} takes over {name(schedule)} {stamp(since)}. The override ends {stamp(until)}."


def calendar_as_read_before(problem: str) -> str:
    """A calendar that cannot be read now."""
    return f"The calendar is shown as it was read before.{sentence(problem)}"


def page_missed(person: str, since: datetime) -> str:
    """A test page without an answer, to those who must see to it."""
    return f"{name(person)} has not answered the test page that was sent {stamp(since)}, so alerts may not reach them."


def page_answered(wait_s: float) -> str:
    """To the person who answered a test page, `wait_s` seconds after it was sent."""
    return f"Thank you: alerts reach you. You answered after {duration(wait_s)}."


def page_over() -> Refused:
    """An answer to a test page that is answered, missed or unknown."""
    return Refused("This test page is over.", rule="page_over", remedy="`/oncall who` shows the last one.")


def not_your_page(person: str) -> Refused:
    return Refused(f"This test page is for {name(person)}.", rule="not_your_page")


def given_by(by: str, reason: str) -> str:
    """Who gave an override, and why."""
    return f"Given by {name(by)}{because(reason)}."


def no_schedules() -> Refused:
    return Refused(
        "There is no on-call schedule for this server.",
        rule="no_schedules",
        remedy="The Slipway operator can add one under `on_call` in the catalog.",
    )


def bad_moment(given: str) -> UserError:
    """A text that is no time."""
    return UserError(
        f"{code(given)} is not a valid time.",
        rule="bad_moment",
        remedy="Use `now`, `18:00`, `friday 09:00`, `2026-11-23 09:00`, a length such as `8h`, or `hand-over`.",
    )


def override_ends_first(since: datetime, until: datetime) -> UserError:
    return UserError(
        f"The override would end {stamp(until)}, before it begins {stamp(since)}.",
        rule="override_order",
        remedy="Give an end after the beginning.",
    )


def override_over(until: datetime) -> UserError:
    return UserError(
        f"The override would already have ended {stamp(until)}.",
        rule="override_over",
        remedy="Give an end in the future.",
    )


def override_too_long(days: int) -> UserError:
    return UserError(
        f"An override lasts {counted(days, 'day')} at most.",
        rule="override_too_long",
        remedy="For longer, change the schedule in the catalog.",
    )


def on_call_anyway(person: str, schedule: str) -> Refused:
    return Refused(
        f"{name(person)} is on call for {name(schedule)} all that time anyway.", rule="on_call_anyway"
    )


def cannot_be_on_call(person: str) -> Refused:
    """A bot, or someone who is not in the server."""
    return Refused(
        f"{name(person)} cannot be on call: not a person in this server.",
        rule="cannot_be_on_call",
        remedy="Choose a member of this server.",
    )
