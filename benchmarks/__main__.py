"""`make bench`, or `python -m benchmarks [--quick] [--only NAME …]`: every benchmark, then one table of all figures.

Each runs in its own process with a time limit, one after the other, so that none disturbs the next. A missed goal is
printed as missed; the exit code only reports benchmarks that did not run.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.report import Row, show

# In order of execution: folder and title.
BENCHMARKS = {
    "presses": ("discord", "Presses compared with a bare discord.py bot"),
    "outbox": ("engine", "Effects through the outbox"),
    "rollouts": ("engine", "1,000 soaking rollouts"),
    "isolation": ("engine", "One lane's trouble beside the others"),
    "rollback": ("engine", "From a press or a verdict to no traffic"),
    "restart": ("programs", "kill -9 until the bot acts again"),
    "memory": ("programs", "Memory compared with a bare discord.py bot"),
    "monitors": ("engine", "1,000 monitors a minute"),
    "health": ("engine", "/health of 200 lanes"),
    "reports": ("engine", "Reports of 200 services, and an export of 50,000 rollouts"),
    "alerts": ("programs", "Alerts: from the delivery to the message, and a storm"),
    "router": ("engine", "The router compared with direct requests"),
    "detection": ("judge", "Detection and false alarms of the judge"),
    "comparison": ("judge", "False alarms and detection by kind of traffic, beside other judges"),
    "instances": ("judge", "Sick instances of a candidate"),
    "latency": ("judge", "A slower candidate within its limit: warnings, and when"),
    "watching": ("judge", "Alerts on healthy traffic, and how soon a sick service is told"),
    "judging": ("judge", "Cost of judging"),
    "history": ("judge", "Cost of the lanes' history"),
    "chart": ("discord", "Drawing a chart"),
    "commands": ("discord", "Slash commands: diff, apply, watch"),
    "sandbox": ("discord", "The sandbox beside the smallest possible emulator"),
    "container": ("programs", "The container image"),
    "docker": ("programs", "A Docker Engine: from healthy to serving, and 200 services observed"),
}
_BOUND_S = 3600.0  # several times what the longest takes on an idle machine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: under two minutes in all")
    parser.add_argument(
        "--only", nargs="+", choices=[*BENCHMARKS], metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--run", metavar="NAME", choices=[*BENCHMARKS], help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        options.into.write_text(json.dumps([asdict(row) for row in measured(options.run, options.quick)]))
        return 0
    return everything(options.only or [*BENCHMARKS], quick=options.quick)


def everything(names: list[str], *, quick: bool) -> int:
    """Run all benchmarks. Returns 1 when one did not finish."""
    found: dict[str, list[Row]] = {}
    broken: list[str] = []
    began = time.monotonic()
    for name in names:
        print(f"· {BENCHMARKS[name][1]} …", end="", flush=True)
        started = time.monotonic()
        rows, trouble = apart(name, quick=quick)
        print(f" {time.monotonic() - started:.0f} s" + (f"  ✗ {trouble}" if trouble else ""), flush=True)
        if trouble:
            broken.append(name)
        else:
            found[name] = rows
    for name, rows in found.items():
        show(rows, BENCHMARKS[name][1])
    tell(found, broken, time.monotonic() - began)
    return 1 if broken else 0


def tell(found: dict[str, list[Row]], broken: list[str], seconds: float) -> None:
    rows = [row for each in found.values() for row in each]
    missed = [row.what.strip() for row in rows if row.ok is False]
    load = os.getloadavg()[0]
    print(
        f"\n{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"load {load:.1f}; {seconds:.0f} s"
    )
    print(f"{sum(row.ok is True for row in rows)} goals reached, {len(missed)} missed")
    for what in missed:
        print(f"  missed: {what}")
    for name in broken:
        print(f"  did not run: {name}")


def apart(name: str, *, quick: bool) -> tuple[list[Row], str]:
    """The rows of one benchmark, run in its own process, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        into, log = Path(folder) / "rows.json", Path(folder) / "log"
        command = [sys.executable, "-m", "benchmarks", "--run", name, "--into", str(into)]
        with log.open("w") as sink:
            # A new session, so that the processes it starts can be ended with it.
            process = subprocess.Popen(
                [*command, *(["--quick"] if quick else [])],
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(_BOUND_S)
            except subprocess.TimeoutExpired:
                _end(process)
                return [], f"not finished after {_BOUND_S:.0f} s"
            except BaseException:
                _end(process)
                raise
        if code or not into.exists():
            return [], f"exit code {code}: {_last_lines(log)}"
        return [Row(**row) for row in json.loads(into.read_text())], ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a benchmark: an interrupt first, so that it can stop what it started, then whatever is left of its group."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_lines(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])


def measured(name: str, quick: bool) -> list[Row]:
    """The rows of one benchmark, run in this process."""
    run = importlib.import_module(f"benchmarks.{BENCHMARKS[name][0]}.{name}").run
    takes_quick = "quick" in inspect.signature(run).parameters
    rows: list[Row] = run(quick=quick) if takes_quick else run()
    return rows


if __name__ == "__main__":
    sys.exit(main())
