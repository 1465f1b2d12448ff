"""Play histories: `python -m tests.simulation --count N`; replay one with its trace: `--seed N`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.planted import BUGS, found
from tests.simulation.run import Played, play

_ROUND_S = 30.0
_MOST_PLANTED = 700
_SHOWN = 20


@dataclass
class Report:
    """What many histories came to."""

    histories: int = 0
    events: int = 0
    requests: int = 0
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    rules: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, played: Played) -> None:
        self.histories += 1
        self.events += played.events
        self.requests += played.requests
        self.simulated_s += played.simulated_s
        self.cpu_s += played.took_s
        self.rules += played.happened
        self.faults += played.faults
        self.phases += played.phases
        self.ends += played.ends
        self.violations += [(played.seed, str(violation)) for violation in played.violations[:1]]

    def lines(self, took_s: float) -> Iterator[str]:
        an_hour = self.histories / took_s * 3600
        yield f"{self.histories:,} histories in {took_s:,.0f} s: {an_hour:,.0f} an hour"
        yield f"{self.simulated_s / 3600:,.1f} hours were simulated; {self.events:,} events were checked"
        yield f"{self.requests:,} requests of people; rollouts: {_counted(self.ends)}"
        yield f"faults: {_counted(self.faults)}"
        yield f"times a rollout was saved in each phase: {_counted(self.phases)}"
        yield f"{len(self.violations)} violations"
        for seed, violation in self.violations[:_SHOWN]:
            yield f"  seed {seed}: {violation} (python -m tests.simulation --seed {seed})"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in counts.most_common())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this history and print what happened in it")
    parser.add_argument("--first", type=int, default=1, help="first seed")
    parser.add_argument("--count", type=int, default=1000, help="how many histories")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes play them")
    parser.add_argument("--planted", action="store_true", help="plant bugs, and say which history finds each")
    asked = parser.parse_args()
    if asked.planted:
        return plant_all()
    if asked.seed is not None:
        return replay(asked.seed)
    return soak(range(asked.first, asked.first + asked.count), asked.jobs)


def replay(seed: int) -> int:
    played = play(seed)
    print(played.trace)
    print(f"seed {seed}:", *(played.violations or ["no violation"]), sep="\n  ")
    return int(bool(played.violations))


def plant_all() -> int:
    """Plant every bug, one after the other; each must be found."""
    missed = 0
    for name in BUGS:
        played = found(name, most=_MOST_PLANTED)
        missed += played is None
        said = f"history {played.seed}: {played.violations[0]}" if played else "NOT FOUND"
        print(f"{name:<30} {said}", flush=True)
    return missed


def soak(seeds: range, jobs: int) -> int:
    """Play them all; prints how it goes on the way, and the report."""
    report, began, said = Report(), time.monotonic(), time.monotonic()
    for played in _played(seeds, jobs):
        report.add(played)
        if played.violations and len(report.violations) <= _SHOWN:
            print(f"seed {played.seed}: {played.violations[0]}", flush=True)
        if time.monotonic() - said > _ROUND_S:
            said = time.monotonic()
            print(f"… {report.histories:,} histories, {report.events:,} events", flush=True)
    print(*report.lines(time.monotonic() - began), sep="\n")
    return int(bool(report.violations))


def _played(seeds: range, jobs: int) -> Iterable[Played]:
    if jobs <= 1:
        yield from map(_play, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_play, seeds, chunksize=20)


def _play(seed: int) -> Played:
    played = play(seed)
    played.trace = ""  # a replay has it
    return played


if __name__ == "__main__":
    sys.exit(main())
