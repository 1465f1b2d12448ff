"""Text from outside: whatever someone writes neither pings nor formats nor exceeds a limit."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.ui import escaping

NASTY = st.lists(
    st.sampled_from(
        [
            "@everyone",
            "@here",
            "<@123>",
            "<@!123>",
            "<@&456>",
            "<#789>",
            "</deploy:1>",
            "<t:1:R>",
            "<:smile:1>",
            "<a:b:1>",
            "<id:browse>",
            "[click](https://evil.example)",
            "**",
            "__",
            "~~",
            "||",
            "`",
            "```",
            "\\",
            "\n# big",
            "\n> quote",
            "\n- item",
            "\n1. item",
            "\u202e",
            "\u2066",
            "\x00",
            "\u2028",
            "👩\u200d🚒",
            "e\u0301",
            " ",
            "word",
        ]
    )
    | st.text(max_size=8),
    max_size=60,
).map("".join)

_PINGS = re.compile(r"@(everyone|here)|<(@|#|/|:|a:|t:|id:)", re.IGNORECASE)


def bare(said: str) -> str:
    """What is left when escaped characters and web addresses are taken away."""
    return re.sub(r"\\.", "", re.sub(r"https?://[A-Za-z0-9._~%/+=&?#:-]*", "", said), flags=re.DOTALL)


@given(NASTY, st.integers(min_value=0, max_value=300))
def test_what_people_write_neither_pings_nor_formats_nor_runs_over(said: str, limit: int) -> None:
    shown = escaping.plain(said, limit)
    assert escaping.units(shown) <= limit
    assert not _PINGS.search(shown)
    assert not set(bare(shown)) & set("*_~`|[]()")
    assert "\n" not in shown
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00")


@given(NASTY, st.integers(min_value=8, max_value=300))
def test_a_name_in_a_code_span_cannot_leave_it(said: str, limit: int) -> None:
    shown = escaping.code(said, limit)
    assert escaping.units(shown) <= limit
    assert shown[0] == shown[-1] == "`"
    assert "`" not in shown[1:-1]
    assert len(shown) > 2


@given(NASTY, st.integers(min_value=0, max_value=300))
def test_a_sentence_keeps_code_spans_and_loses_pings_and_links(said: str, limit: int) -> None:
    shown = escaping.sentence(said, limit)
    assert escaping.units(shown) <= limit
    assert not _PINGS.search(re.sub(r"<t:-?\d+(:[tTdDfFR])?>", "", shown))
    assert "](" not in shown
    assert not re.search(r"^\s*#{1,3} ", shown, re.MULTILINE)


@given(NASTY, st.integers(min_value=1, max_value=120))
def test_a_name_is_one_line_and_never_empty(said: str, limit: int) -> None:
    shown = escaping.name(said, limit)
    assert 0 < escaping.units(shown) <= limit
    assert "\n" not in shown


def test_limits_count_what_discord_counts() -> None:
    assert escaping.units("a") == 1
    assert escaping.units("🚀") == 2
    assert escaping.cut("🚀🚀🚀", 5) == "🚀🚀…"
    assert escaping.cut("short", 5) == "short"


def test_web_addresses_stay_usable_and_times_of_ours_too() -> None:
    assert (
        escaping.plain("see https://tracker.example/T_1 *now*", 100)
        == r"see https://tracker.example/T_1 \*now\*"
    )
    assert escaping.sentence("Expires <t:1782874800:R>.", 100) == "Expires <t:1782874800:R>."
    assert "<t:" not in escaping.plain("<t:1782874800:R>", 100)


def test_versions_are_not_mangled() -> None:
    assert escaping.plain("1.5.0-rc.1+build", 40) == "1.5.0-rc.1+build"
