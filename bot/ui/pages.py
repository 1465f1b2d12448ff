"""The button that turns a list's page; its id says where the next page starts, so that it outlives restarts."""

from __future__ import annotations

import re
from typing import Any

import discord

_TEMPLATE = re.compile(
    r"slipway-older:(?P<before>[0-9]{1,19}):(?P<service>[^:]{0,60}):(?P<environment>[^:]{0,40})"
)


class PageButton(discord.ui.Button[Any]):
    """Shows what is older than rollout `before`, in an answer of its own. `/history` listens for it."""

    def __init__(self, custom_id: str) -> None:
        super().__init__(label="Older", style=discord.ButtonStyle.secondary, custom_id=custom_id)

    def is_dispatchable(self) -> bool:
        """Not by the library: see `PressButton`."""
        return False

    @classmethod
    def older(cls, before: int, service: str | None, environment: str | None) -> PageButton | None:
        """None when the names do not fit into an id; then there is no paging."""
        custom_id = f"slipway-older:{before}:{service or ''}:{environment or ''}"
        fits = len(custom_id) <= 100 and _TEMPLATE.fullmatch(custom_id) is not None
        return cls(custom_id) if fits else None


def page_of(custom_id: str) -> tuple[int, str | None, str | None] | None:
    """`(before, service, environment)` of a page's button; None for other ids."""
    match = _TEMPLATE.fullmatch(custom_id)
    if match is None:
        return None
    return int(match["before"]), match["service"] or None, match["environment"] or None
