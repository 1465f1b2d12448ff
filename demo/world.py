"""The demo's Discord server, `world.json`, with changes for tests and benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent / "world.json"


def harbor(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The demo's world as the sandbox's `--world` takes it.

    `changes` replaces keys of the world; a guild in it that lacks people, roles or channels gets the demo's.
    """
    given: dict[str, Any] = json.loads(_FILE.read_text())
    usual = given["guilds"][0]
    world = given | dict(changes or {})
    return world | {"guilds": [usual | guild for guild in world["guilds"]]}
