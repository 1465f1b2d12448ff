"""JSON paths of checks: which are taken, and that their work is bounded."""

from __future__ import annotations

import json
import re
import time

import pytest

from bot.adapters.checks import json_path
from bot.adapters.checks.kind import CheckFailed


@pytest.mark.parametrize(
    "path",
    [
        "$",
        "$.a.b",
        "$['a b'][0]",
        "$.a[-1]",
        "$[*].up",
        "$[1:3]",
        "$.parts[?@.name == 'db' && !@.off].up",
        "$[?$.want == @.x]",
    ],
)
def test_paths_that_are_taken(path: str) -> None:
    json_path.compiled(path)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("status", "a JSON path such as $.status"),
        ("$.a[", "a JSON path such as $.status"),
        ("", "a JSON path such as $.status"),
        ("$..a", "without .."),
        ("$[0,0][0,0]", "without .."),
        ("$[?length(@.a) > 1]", "without .."),
        ("$[?match(@.a, '(a+)+')]", "without .."),
        ("$[?@..a]", "without .."),
        ("$[?@.a[*]]", "without .."),
        ("$[?@[?@.a == 1]]", "without .."),
        ("$." + "a" * 200, "at most 200 characters"),
    ],
)
def test_paths_that_are_not(path: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        json_path.compiled(path)


def test_the_longest_answer_takes_a_moment() -> None:
    """About 30,000 values; the bound is far above what an idle machine takes."""
    parts = [{"a": n} for n in range(30_000)]
    body = json.dumps(parts, separators=(",", ":")).encode()[: json_path.LARGEST]
    document = json_path.parsed(body[: body.rindex(b"},")] + b"}]")
    began = time.process_time()
    assert len(json_path.values("$[?@.a >= 0 && @.a != -1 && @.a < 99999].a", document)) > 20_000
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("value", "wanted", "same"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (True, 1, False),
        (1, True, False),
        ("1", 1, False),
        (None, None, True),
        ([1], [1], True),
    ],
)
def test_equality_is_that_of_json(value: object, wanted: object, same: bool) -> None:
    if same:
        json_path.expect("$.x", wanted, {"x": value})
        return
    with pytest.raises(CheckFailed, match="should be"):
        json_path.expect("$.x", wanted, {"x": value})


def test_what_is_shown_is_short() -> None:
    with pytest.raises(CheckFailed) as failed:
        json_path.expect("$.x", "ok", {"x": "long\n" * 10_000})
    assert len(str(failed.value)) < 150
    assert "\n" not in str(failed.value)


def test_answers_that_are_too_large_or_no_json() -> None:
    with pytest.raises(CheckFailed, match="larger than 256 KiB"):
        json_path.parsed(b"[" + b"1," * json_path.LARGEST)
    for body in (b"", b"\xff\xfe", b"[" * 200_000, b"NaN,"):
        with pytest.raises(CheckFailed, match="not JSON"):
            json_path.parsed(body)
