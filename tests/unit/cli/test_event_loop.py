"""The event loop of `slipway run`: uvloop's where it is installed, else asyncio's own."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType

import pytest

from bot.cli.operations import service


def test_the_loop_is_uvloops_where_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = ModuleType("uvloop")
    fast.new_event_loop = asyncio.new_event_loop  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uvloop", fast)
    assert service.event_loop() is asyncio.new_event_loop


def test_without_it_the_loop_is_asyncios_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert service.event_loop() is None
