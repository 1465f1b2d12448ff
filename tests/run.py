"""`make test`: every test, on two workers, with branch coverage printed and held to its floors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOORS = (("in all", "*", 85), ("in bot/domain", "bot/domain/*", 95))
# pytest's exit code when tests ran and some failed; anything else (no tests, wrong usage) is not tried again.
SOME_FAILED = 1
REMEMBER = ("-o", "addopts=-ra --strict-markers --strict-config", "-o", "cache_dir=.pytest_cache")


def run(*command: str) -> int:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode


def main() -> int:
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    os.environ.setdefault("COVERAGE_FILE", str(ROOT / ".coverage"))
    workers = os.environ.get("TEST_WORKERS", "2")
    selected = sys.argv[1:] or ["tests", "sandbox/tests"]
    # By file, since the tests of a file may share a world; pytest 9.2 no longer heeds xdist's groups.
    pytest = ("coverage", "run", "-m", "pytest", "-q", *REMEMBER)
    failed = run(*pytest, "-n", workers, "--dist", "loadfile", *selected)
    if failed == SOME_FAILED:
        print("\n— what failed beside everything else runs once more, by itself", flush=True)
        failed = run(*pytest, "--last-failed", "--last-failed-no-failures", "none", *selected)
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
