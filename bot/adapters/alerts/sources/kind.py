"""A kind of alert source: its settings, and what makes the source."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bot.adapters.alerts.sources.delivery import AlertSource
from bot.adapters.alerts.sources.findings import AlertContext
from bot.kinds import AlertSourceSettings, Kind

W = TypeVar("W", bound=AlertSourceSettings)


def alert_source_kind(settings: type[W], make: Callable[[str, W, AlertContext], AlertSource]) -> Kind:
    """An entry of `alert_sources:`; `make` takes its name in the catalog."""
    return Kind(settings, make)
