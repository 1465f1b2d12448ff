"""The demo's clock: ahead by what its file says, and never back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.adapters.moved_clock import MovedClock
from tests.support.clocks import FrozenClock
from tests.support.virtual_time import EPOCH


def test_it_is_ahead_by_the_seconds_in_the_file_and_never_goes_back(tmp_path: Path) -> None:
    clock, file = FrozenClock(EPOCH), tmp_path / "clock"
    moved = MovedClock(clock, file)
    assert moved.now() == EPOCH
    file.write_text("900\n")
    assert moved.now() == EPOCH + timedelta(minutes=15)
    for less in ("0", "-5", "soon", "nan", "inf", "\N{SNOWMAN}"):
        file.write_text(less, encoding="utf-8")
        assert moved.now() == EPOCH + timedelta(minutes=15)
    file.unlink()
    clock.forward(1)
    assert moved.now() == EPOCH + timedelta(minutes=15, seconds=1)


@pytest.mark.parametrize("seconds", ["1e300", "99999999999999"])
def test_it_is_at_most_a_year_ahead(tmp_path: Path, seconds: str) -> None:
    file = tmp_path / "clock"
    file.write_text(seconds)
    assert MovedClock(FrozenClock(EPOCH), file).now() == EPOCH + timedelta(days=366)
