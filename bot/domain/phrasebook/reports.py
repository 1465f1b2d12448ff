"""What reports and exports say in sentences, and refusals. Figures are spelled in `bot/domain/reports/wording.py`."""

from __future__ import annotations

from bot.domain.errors import UserError
from bot.domain.formatting import counted

REPORT_COUNTS = "Alerts are those of all environments, the other figures those of the environments above."


def bad_period(longest: int) -> UserError:
    return UserError(
        "The end of the period must be after its start.",
        rule="bad_period",
        remedy=f"An export covers up to {counted(longest, 'day')}; the end itself is not part of it.",
    )


def too_much_to_report(most: int) -> UserError:
    return UserError(
        f"There are more than {most:,} rollouts or alerts in this period.",
        rule="too_much",
        remedy="Ask for fewer days or for one service, or export them.",
    )


def exports_are_busy(most: int) -> UserError:
    return UserError(
        f"Only {counted(most, 'export')} can run at the same time.",
        rule="busy",
        remedy="Try again when one of them is done.",
    )
