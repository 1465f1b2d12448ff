"""Equal values as one object, and what is not equal enough for that."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain import sharing
from bot.domain.secret import Secret
from bot.domain.sharing import Sharing
from tests.support.catalogs import policy


@dataclass(frozen=True)
class Waits:
    seconds: float
    password: Secret | None = None


def test_equal_values_become_the_first_of_them() -> None:
    same = Sharing()
    first, second = policy(tick_s=5.0), policy(tick_s=5.0)
    assert second is not first
    assert same(first) is first
    assert same(second) is first
    other = policy(tick_s=6.0)
    assert same(other) is other


def test_a_whole_number_is_not_taken_for_a_fraction() -> None:
    same = Sharing()
    same(Waits(5.0))
    assert repr(same(Waits(5)).seconds) == "5"


def test_secrets_that_read_alike_stay_apart() -> None:
    same = Sharing()
    same(Waits(1.0, Secret("red")))
    assert same(Waits(1.0, Secret("blue"))).password == Secret("blue")


def test_what_it_remembers_is_bounded() -> None:
    same = Sharing()
    values = [Waits(float(number)) for number in range(2 * sharing._MOST + 1)]
    for value in values:
        assert same(value) is value
    assert len(same._known) <= sharing._MOST
    assert same(Waits(values[-1].seconds)) is values[-1]
