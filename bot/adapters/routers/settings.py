"""Settings of the weighted router."""

from __future__ import annotations

from typing import Literal

from bot.kinds import RouterProgramSettings


class WeightedRouterSettings(RouterProgramSettings):
    """Slipway's own router, inside the host."""

    kind: Literal["weighted"] = "weighted"
