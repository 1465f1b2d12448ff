"""Parameters of commands: facts as environment variables, and in place of `{placeholders}`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{([a-z_]+)\}")


def filled(word: str, facts: Mapping[str, str]) -> str:
    """`word` with its placeholders filled in; other braces stay."""
    return _PLACE.sub(lambda found: facts.get(found[1], found[0]), word)


def variables(facts: Mapping[str, str]) -> dict[str, str]:
    return {f"SLIPWAY_{name.upper()}": value for name, value in facts.items()}
