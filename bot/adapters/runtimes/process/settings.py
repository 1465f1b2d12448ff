"""Settings of the process runtime: an entry of `targets:` in the catalog."""

from __future__ import annotations

from typing import ClassVar, Literal

from bot.adapters.targets.hosted.settings import HostedTargetSettings


class ProcessSettings(HostedTargetSettings):
    """Releases as local processes behind a router, in a separate host process."""

    when_away: ClassVar[str] = "it starts with the bot; `slipway host` runs it on its own"

    kind: Literal["process"]
