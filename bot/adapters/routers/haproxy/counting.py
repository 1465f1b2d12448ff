"""Counts of releases from HAProxy's own counters, none of which a client can move against a release. Pure.

What was found by experiment with HAProxy 2.6, and holds here:

- Rules count answers: `http-response` those of releases, `http-after-response` those that HAProxy gave in place of a
  release. A client that left gets 400 (499 in later versions), which is no fault, or nothing at all.
- The log tells responses that broke off: `SD` when the release ended them, `CD` when the client did. Of the statistics,
  `eresp` also rises when HAProxy cannot write to a client, and `srv_abrt` with connections that were upgraded.
- When a release ends its connection without an answer to a client that had asked before, HAProxy 2.6 closes the
  connection of the client as well, writes no log and counts nothing. But such a request is missing from `req_tot`,
  while every other end is in it.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from bot.adapters.routers.haproxy.config import (
    ANSWERED,
    ANSWERED_BAD,
    EVIDENCE,
    FAILED,
    GAVE_UP,
    LOOK_MS,
    WAITS,
    HaproxyListening,
)
from bot.ports.data_plane.routers import RouterCounts

POSITION = "position"


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests of a release, in a form that adds up. `waits`: by interval of the histogram, not cumulative."""

    total: int = 0
    bad: int = 0
    waits: tuple[int, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        waits = (
            tuple(map(sum, zip(self.waits, other.waits, strict=True)))
            if self.waits and other.waits
            else self.waits or other.waits
        )
        return Tally(self.total + other.total, self.bad + other.bad, waits)


def tallies_to_text(tallies: Mapping[str, Tally]) -> str:
    """In characters that need no quoting anywhere."""
    return json.dumps({release: asdict(tally) for release, tally in tallies.items()}).encode().hex()


def tallies_from_text(text: str) -> dict[str, Tally]:
    """Raises ValueError."""
    found = json.loads(bytes.fromhex(text) or b"{}")
    return {release: Tally(t["total"], t["bad"], tuple(t["waits"])) for release, t in found.items()}


# ---- rows -----------------------------------------------------------------------------------------------


def table(shown: str) -> dict[str, dict[str, int]]:
    """Rows of a stick table by key, from the answer to `show table`."""
    found = {}
    for line in shown.splitlines():
        if not line.startswith("0x"):
            continue
        pairs = dict(part.split("=", 1) for part in line.split(": ", 1)[1].split(" ") if "=" in part)
        found[pairs["key"]] = {name: int(number) for name, number in pairs.items() if name != "key"}
    return found


def statistics(shown: str) -> dict[str, dict[str, str]]:
    """Rows of backends by name, from the answer to `show stat`."""
    return {row["pxname"]: row for row in _rows(shown) if row["svname"] == "BACKEND"}


def servers(shown: str) -> dict[str, list[dict[str, str]]]:
    """Rows of the servers of each backend that take requests, from the same answer."""
    found: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(shown):
        if row["svname"] not in ("BACKEND", "FRONTEND") and not row["status"].startswith("MAINT"):
            found[row["pxname"]].append(row)
    return found


def _rows(shown: str) -> Iterable[dict[str, str]]:
    return csv.DictReader(shown.removeprefix("# ").splitlines())


@dataclass(frozen=True, slots=True)
class End:
    """A line of the ring, of a request that ended in some unusual way. The fields are those of `log-format`.

    server: the one that it came to, or was last tried on; empty in lines of an HAProxy that did not tell it.
    """

    number: int
    backend: str
    release: str
    kind: str
    ended: str
    flags: str
    status: int
    age_us: int
    server: str = ""


def ends(shown: str) -> list[End]:
    """From the answer to `show events`, in the order in which the requests ended."""
    found = []
    for line in shown.splitlines():
        parts = line.split()
        if len(parts) not in _END_FIELDS or not parts[0].isdecimal():
            continue
        number, backend, release, kind, ended, flags, status, age, *server = parts
        age_us = int(age) if age != "-" else 0
        found.append(End(int(number), backend, release, kind, ended, flags, int(status), age_us, *server))
    return found


_END_FIELDS = (8, 9)
# How the keys of servers begin, beside those of releases.
_SERVER = "@"


# ---- what the ring adds ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Found:
    """What the ring told so far, kept by HAProxy itself in the table `found`: so a host that restarts goes on there.

    broken: responses that a release broke off, by release. unanswered: requests that got no answer at all by a
    release's fault; both also by server, where those that HAProxy answered in its place are unanswered, too.
    gave_up: those that a client gave up on, after the release had been too slow. explained: requests that the
    statistics of a backend left out, and the ring has. position: number of the last line that was read.
    """

    broken: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    unanswered: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    gave_up: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    explained: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    position: int = 0

    @classmethod
    def read(cls, rows: Mapping[str, Mapping[str, int]]) -> Found:
        found = cls()
        for key, row in rows.items():
            if key == POSITION:
                found.position = row["gpc0"]
            elif key.startswith(EVIDENCE):
                found.explained[key] = row["gpc0"]
            else:
                found.broken[key], found.unanswered[key], found.gave_up[key] = (
                    row["gpc0"],
                    row["gpc1"],
                    row["gpt0"],
                )
        return found

    def take(self, lines: list[End], overdue_us: int) -> set[str]:
        """Add the lines after `position`; the keys of what changed."""
        numbers = [line.number for line in lines]
        new = lines[numbers.index(self.position) + 1 :] if self.position in numbers else lines
        changed = set()
        for line in new:
            changed |= self._add(line, overdue_us)
        if new:
            self.position = new[-1].number
            changed.add(POSITION)
        return changed

    def _add(self, line: End, overdue_us: int) -> set[str]:
        if line.kind not in ("plain", "upgrade"):
            return set()
        return self._add_to_release(line, overdue_us) | self._add_to_server(line)

    def _add_to_server(self, line: End) -> set[str]:
        """Faults that are not among the responses of its own, which its statistics have."""
        key = f"{_SERVER}{line.server}"
        if line.kind != "plain" or not line.server:
            return set()
        if line.ended == "answered" and line.flags[:2] in ("SD", "PD") and line.status < 500:
            self.broken[key] += 1
        elif line.ended == "failed" or (line.ended == "-" and line.flags[0] in "Ss"):
            self.unanswered[key] += 1
        else:
            return set()
        return {key}

    def _add_to_release(self, line: End, overdue_us: int) -> set[str]:
        if line.ended == "answered":
            # A status from 500 on is bad already. A connection that was upgraded ends as its users please.
            if line.kind == "plain" and line.flags[:2] in ("SD", "PD") and line.status < 500:
                self.broken[line.release] += 1
                return {line.release}
            return set()
        if line.ended != "-":
            return set()
        changed = set()
        if line.status == 0 and line.backend.startswith(EVIDENCE):
            self.explained[line.backend] += 1
            changed.add(line.backend)
        if line.flags[0] in "Ss":
            self.unanswered[line.release] += 1
        elif line.age_us >= overdue_us:
            self.gave_up[line.release] += 1
        else:
            return changed
        return {*changed, line.release}

    def commands(self, changed: Iterable[str]) -> list[str]:
        """What has HAProxy keep these keys."""
        return [f"set table found key {key} {self._row(key)}" for key in sorted(changed)]

    def _row(self, key: str) -> str:
        if key == POSITION:
            return f"data.gpc0 {self.position}"
        if key.startswith(EVIDENCE):
            return f"data.gpc0 {self.explained[key]}"
        numbers = self.broken[key], self.unanswered[key], self.gave_up[key]
        return "data.gpc0 {} data.gpc1 {} data.gpt0 {}".format(*numbers)


def lost(backend: str, stats: Mapping[str, Mapping[str, str]], found: Found) -> int:
    """Requests of a backend that ended and that nothing tells of, since HAProxy started."""
    row = stats[backend]
    missing = int(row["stot"]) - int(row["scur"]) - int(row["req_tot"])
    return max(0, missing - found.explained[backend])


def instances(rows: Iterable[Mapping[str, str]], found: Found) -> tuple[tuple[str, int, int], ...]:
    """`(address, total, bad)` of a release's instances, from the rows of the servers of its slot.

    Whole requests alone: handshakes and uploads go to another backend, so that a status from 500 on is the release's.
    """
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        key, of = f"{_SERVER}{row['svname']}", sums[row["addr"]]
        answered, failed = sum(int(row[f"hrsp_{status}xx"]) for status in range(2, 6)), int(row["hrsp_5xx"])
        of[0] += answered + found.unanswered[key]
        of[1] += failed + found.unanswered[key] + found.broken[key]
    return tuple((address, total, min(bad, total)) for address, (total, bad) in sorted(sums.items()))


# ---- counts ---------------------------------------------------------------------------------------------


def tally(row: Mapping[str, int], release: str, found: Found, silent: int, intervals: int) -> Tally:
    """row: of the table `releases`, empty before its first request. silent: what its slot has lost (`lost`)."""

    def number(element: int) -> int:
        return row.get(f"gpc{element}", 0)

    unanswered = number(FAILED) + found.unanswered[release] + silent
    return Tally(
        total=number(ANSWERED) + unanswered + number(GAVE_UP) + found.gave_up[release],
        bad=number(ANSWERED_BAD) + unanswered + found.broken[release],
        waits=tuple(number(WAITS + place) for place in range(intervals)),
    )


def counts(
    total: Tally, epoch: str, listening: HaproxyListening, in_flight: int, overdue: int
) -> RouterCounts:
    buckets, number = [], 0
    for bound_us, waited in zip(listening.bounds_us, total.waits, strict=True):
        number += waited
        buckets.append((_limit(bound_us, listening), number))
    return replace(
        RouterCounts(epoch, total.total, total.bad, tuple(buckets)), in_flight=in_flight, overdue=overdue
    )


def _limit(bound_us: int, listening: HaproxyListening) -> float:
    """The bound as it was written."""
    limits = {round(limit * 1_000_000): limit for limit in listening.route.latency_limits_s}
    return limits.get(bound_us, bound_us / 1_000_000)


def overdue(
    answered: Mapping[str, Mapping[str, int]],
    waiting: Mapping[str, Mapping[str, int]],
    listening: HaproxyListening,
    now_ms: float,
) -> dict[str, int]:
    """Requests by release that now wait longer than the lane's limit.

    Both tables have requests in flight by the moment at which they began; `answered` was read first.
    """
    found: defaultdict[str, int] = defaultdict(int)
    for key, row in waiting.items():
        moment, _, release = key.partition("/")
        latest_ms = (int(moment) + 1) * LOOK_MS
        if now_ms - latest_ms >= listening.overdue_s * 1000:
            found[release] += max(0, row["conn_cur"] - answered.get(key, {}).get("conn_cur", 0))
    return found
