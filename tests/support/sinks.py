"""Sinks of a catalog as it is written, and alerts to tell them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bot.composition.adapters import make_sinks
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import AlertState
from bot.domain.watch.alerts.findings import Severity
from bot.engine.watch.alerts.sinks import Sinks
from bot.ports.watch.sinks import AlertSnapshot
from tests.support.catalog_files import SOUND, check, write

BEGAN = datetime(2026, 11, 22, 14, 52, 26, tzinfo=UTC)
FIRING = AlertSnapshot(
    id=17,
    key="slipway-17-1795359146",
    severity=Severity.CRITICAL,
    title="52% of requests fail",
    state=AlertState.FIRING,
    since=BEGAN,
    at=BEGAN,
    lane=Lane("checkout", "production"),
    text="The database does not answer.",
    value="52%",
    limit="1%",
    url="https://discord.com/channels/1/2/3",
    runbook="https://runbooks.example.com/errors?a=1&b=2",
    last_deploy="1.4.0 to 1.5.0 by ada, 4 min before",
    suspected=True,
)
ACKNOWLEDGED = replace(
    FIRING, state=AlertState.ACKNOWLEDGED, at=BEGAN + timedelta(minutes=3), acknowledged_by="Ada"
)
RESOLVED = replace(ACKNOWLEDGED, state=AlertState.RESOLVED, at=BEGAN + timedelta(minutes=9))


@asynccontextmanager
async def sinks_of(
    folder: Path, written: Mapping[str, Any], environ: Mapping[str, str]
) -> AsyncIterator[Sinks]:
    """The sinks of a catalog with `sinks: written`."""
    text = SOUND + yaml.safe_dump({"sinks": dict(written)}, sort_keys=False)
    found, mistakes = check(write(folder / "catalog", all=text), environ)
    assert not mistakes, mistakes
    async with aiohttp.ClientSession() as session:
        yield Sinks(lambda: found.sinks, make_sinks(lambda: found, session))
