"""Where things of this repository are; tests name no path outside of it but their own temporary ones."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
# The program that stands for a deployed service.
SERVICE = str(TESTS / "fakes" / "service.py")
