"""Checks of what is deployed: one question to a service, and what came of it."""

from __future__ import annotations

from typing import Protocol

from bot.domain.config import CheckConfig
from bot.domain.rollout.model import Lane
from bot.domain.watch.checks import CheckResult


class Checks(Protocol):
    """Asks checks, each within its time limit. Whatever a service does, or fails to do, is an answer."""

    async def ask(self, check: CheckConfig, lane: Lane, at: float) -> CheckResult:
        """Ask what serves the lane. at: the present time (unix seconds), for the result.

        Raises `Unreachable` and `TargetRefused` when the lane's target does not say where it answers, or Discord does
        not say who is online: then nothing is known of the service.
        """
        ...

    async def ask_candidate(self, check: CheckConfig, lane: Lane, address: str, at: float) -> CheckResult:
        """Ask a release without traffic at its own address (``http://host:port``)."""
        ...
