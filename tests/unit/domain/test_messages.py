"""Every message of the phrasebook as it reads, in `messages.txt`, with the names of its values in capitals.

`python -m tests.unit.domain.test_messages` writes the file again, after a change of wording: read the diff.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString, get_type_hints

import pytest

from bot.domain import phrasebook
from bot.domain.errors import UserError
from tests.support.kept import keep, kept

FILE = Path(__file__).parent / "messages.txt"
NOW = datetime(2026, 11, 20, 14, 3, 20, tzinfo=UTC)
MESSAGES: dict[str, Callable[..., Any]] = {
    name: found
    for name, found in inspect.getmembers(phrasebook, inspect.isfunction)
    if found.__module__.startswith(f"{phrasebook.__name__}.")
}


LEFT_OUT = object()
# What a parameter is given, turn by turn, where its name in capitals does not do.
OWN: dict[str, list[Any]] = {
    "lane": ["SERVICE/ENVIRONMENT", ""],
    "button": [2],
    "present": [4],
    "backup_id": [3],
    "rollout_id": [3],
    "known": [3],
    "seconds": [90000.0, -60.0],
    "longest_s": [86400.0],
    "max_age_s": [604800.0],
    "wait_s": [7.2, 0.0, 1.0, 119.0, 119.1],
}


def _values(parameter: inspect.Parameter, hint: Any) -> list[Any]:
    said = parameter.name.upper()
    fixed = ["rollback", "wait"] if parameter.name == "outcome" else [said]
    several = [f"{said}{number}" for number in range(1, 8)]
    values: dict[Any, list[Any]] = {
        str: [said, ""],
        int: [3, 1, 0],
        datetime: [NOW],
        datetime | None: [NOW + timedelta(hours=2), None],
        Sequence[str]: [several[:2], [], several[:1], several],
        LiteralString: fixed,
    }
    found = OWN[parameter.name] if parameter.name in OWN else values[hint]
    return found if parameter.default is parameter.empty else [found[0], LEFT_OUT]


def _written(message: Callable[..., Any]) -> Iterator[str]:
    hints = get_type_hints(message)
    given = [_values(each, hints[name]) for name, each in inspect.signature(message).parameters.items()]
    for turn in range(max(map(len, given), default=1)):
        values = [values[min(turn, len(values) - 1)] for values in given]
        while values and values[-1] is LEFT_OUT:
            values.pop()
        told = message(*values)
        rule = f"[{told.rule}] " if isinstance(told, UserError) else ""
        yield f"{rule}{told}"


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_reads_as_it_is_kept(message: str) -> None:
    assert "\n".join(_written(MESSAGES[message])) == kept(FILE)[message]


def test_the_file_has_these_messages_and_no_others() -> None:
    assert list(kept(FILE)) == list(MESSAGES)


if __name__ == "__main__":
    keep(FILE, {name: "\n".join(_written(message)) for name, message in MESSAGES.items()})
