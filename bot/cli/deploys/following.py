"""Following of a rollout until its end: its progress, line by line, and the exit code for it."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.cli.api_commands import print_json
from bot.cli.deploys.rollout_lines import status_line, summary
from bot.cli.exits import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_ROLLED_BACK, EXIT_WAITING, tell

if TYPE_CHECKING:
    from bot.cli.client import ApiClient, Shape

# One request waits for so long; proxies end those that wait for a minute.
_WAIT_S = 25
# For so long a pipeline waits for a bot that restarts.
_AWAY_S = 300.0
# Exit codes by the phase in which it ends.
ROLLBACK = {"rolled_back": 0, "succeeded": 0}
DEPLOY = {"succeeded": 0, "rolled_back": EXIT_ROLLED_BACK}


def followed(api: ApiClient, begun: Shape, wait_s: float | None, as_json: bool, ends: dict[str, int]) -> int:
    """Print the rollout and, with `wait_s`, its progress and end. Returns the exit code."""
    now = begun
    if wait_s is not None:
        with _interruptible(begun["id"]):
            now = _ended(api, begun, wait_s)
    if as_json:
        print_json(now)
    elif wait_s is not None:
        mark = "✓" if _code(now, ends) == 0 else "…" if not _over(now) else "✗"
        tell(f"{mark} rollout {now['id']}: {summary(now)}: {status_line(now)}")
    return 0 if wait_s is None else _code(now, ends)


def _ended(api: ApiClient, begun: Shape, wait_s: float) -> Shape:
    """Wait for the end, or until the time is up; tells each new outcome."""
    deadline, now, told = time.monotonic() + wait_s, begun, ""
    while True:
        left_s = deadline - time.monotonic()
        if _over(now) or left_s <= 0:
            return now
        if (line := status_line(now)) != told:
            told = line
            tell(f"· {line}", err=True)
        asked_s = max(1, min(_WAIT_S, round(left_s)))
        patience_s = min(left_s, _AWAY_S)
        now = api.wait(f"/rollouts/{begun['id']}", asked_s, now["mark"], patience_s)


@contextlib.contextmanager
def _interruptible(rollout: int) -> Iterator[None]:
    """Interrupted while waiting: the rollout goes on, and that is said."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        tell(
            f"Stopped waiting. Rollout {rollout} continues: `slipway wait {rollout}` waits again, "
            f"`slipway act {rollout} rollback` rolls it back.",
            err=True,
        )
        sys.exit(EXIT_INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _over(now: Shape) -> bool:
    return bool(now["final"]) or now["phase"] == "halted"


def _code(now: Shape, ends: dict[str, int]) -> int:
    return ends.get(now["phase"], EXIT_FAILED) if _over(now) else EXIT_WAITING
