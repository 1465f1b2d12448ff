"""What a view of discord.py sends and says."""

from __future__ import annotations

from typing import Any

import discord


def payload(view: discord.ui.LayoutView) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = view.to_components()  # type: ignore[no-untyped-call]
    return made


def said(view: discord.ui.LayoutView) -> str:
    return "\n".join(i.content for i in view.walk_children() if isinstance(i, discord.ui.TextDisplay))
