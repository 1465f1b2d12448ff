"""`make test`: every test but those marked `real`; `make test-real`: those.

With COVERAGE=1, `make test` measures branch coverage as well and holds it to its floors, which takes a third longer.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.paths import ROOT

REAL = "real or browser"
ELSEWHERE = "clients"  # `make test-clients`
FLOORS = (("in all", "*", 85), ("in bot/domain", "bot/domain/*", 95))
# The tests that start whole programs take longest: they begin first, those marked `long` before all others, so that
# no worker is left alone with them.
ALL = (
    "tests/e2e",
    "tests/integration",
    "sandbox/tests",
    "tests/contract",
    "tests/scenarios",
    "tests/simulation",
    "tests/unit",
)


def run(*command: str) -> int:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode


def real() -> int:
    """Tests of components. Their engines and containers need the cores: one worker for each."""
    spread = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile", "--durations", "10")
    # One after the other: beside engines that add and remove networks, Chromium did not load two pages.
    failed = run("pytest", "-q", "-m", "browser", *spread, *ALL)
    return run("pytest", "-q", "-m", "real", *spread, *ALL) or failed


def main() -> int:
    # Programs that tests start need their bytecode: without it, each start costs half as much again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if sys.argv[1:] == ["--real"]:
        return real()
    # More workers than cores: a test of whole programs mostly waits.
    workers = os.environ.get("TEST_WORKERS", str(2 * (os.cpu_count() or 1)))
    selected = sys.argv[1:] or ALL
    # By file, since the tests of a file may share a world; in the order given.
    spread = ("-n", workers, "--dist", "loadfile", "--no-loadscope-reorder", "--durations", "20")
    pytest = ("pytest", "-q", "-m", f"not ({REAL} or {ELSEWHERE})", *spread, *selected)
    return covered(*pytest) if os.environ.get("COVERAGE") else run(*pytest)


def covered(*pytest: str) -> int:
    """Run with coverage; fails below a floor too, unless only a part was run."""
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    os.environ.setdefault("COVERAGE_FILE", str(ROOT / ".coverage"))
    failed = run("coverage", "run", "-m", *pytest)
    run("coverage", "combine", "-q")
    if sys.argv[1:]:
        return failed
    for what, pattern, floor in FLOORS:
        print(f"\n— coverage {what}, branches included (at least {floor}%)", flush=True)
        short = () if pattern == "*" else ("--include", pattern)
        if run("coverage", "report", "--fail-under", str(floor), *short):
            print(f"coverage {what} is below {floor}%")
            failed = failed or 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
