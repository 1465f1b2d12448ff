"""Injected faults: which calls or sessions they hit, how often, and for how long."""

import re
from dataclasses import dataclass

from discord_sandbox.discord.state.clock import Clock

REST = ("429", "500_after_apply", "503", "reset_after_apply", "slow")
SESSIONS = ("gateway_drop", "op7", "op9")
GATEWAY = (*SESSIONS, "missed_acks", "dead_resume", "duplicate_delivery")
KINDS = (*REST, *GATEWAY)
SCOPES = ("user", "global", "shared")


def pattern(route: str) -> re.Pattern[str]:
    """A route as a pattern: `*` matches anything, `{…}` one segment; a leading slash anchors it."""
    parts = re.split(r"(\*|\{[^}]*\})", route)
    body = "".join(
        ".*" if part == "*" else "[^/]+" if part.startswith("{") else re.escape(part) for part in parts
    )
    return re.compile(body if route.startswith("/") else f".*{body}.*")


@dataclass(slots=True)
class Fault:
    id: str
    kind: str
    method: str | None = None
    route: str | None = None
    application: str | None = None
    count: int | None = 1
    seconds: float | None = None
    retry_after: float = 1.0
    scope: str = "user"
    delay_ms: float = 0.0
    after: bool = False
    code: int | None = None
    event: str = "INTERACTION_CREATE"
    hits: int = 0
    ends: float | None = None
    ended: bool = False
    compiled: re.Pattern[str] | None = None

    def active(self, now: float) -> bool:
        if self.ended or (self.ends is not None and now >= self.ends):
            return False
        return self.count is None or self.hits < self.count

    def hits_call(self, method: str, path: str, application: str | None) -> bool:
        return (
            (self.method is None or self.method == method)
            and (self.application is None or self.application == application)
            and (self.compiled is None or self.compiled.fullmatch(path) is not None)
        )


class Faults:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made = 0
        self.all: dict[str, Fault] = {}
        self._rest: list[Fault] = []
        self._gateway: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._made += 1
        fault.id = f"f{self._made}"
        if fault.route is not None:
            fault.compiled = pattern(fault.route)
        if fault.seconds is not None:
            fault.ends = self._clock.now() + fault.seconds
        self.all[fault.id] = fault
        (self._rest if fault.kind in REST else self._gateway).append(fault)
        return fault

    def remove(self, fault_id: str) -> Fault | None:
        fault = self.all.pop(fault_id, None)
        if fault is not None:
            fault.ended = True
            self._rest = [one for one in self._rest if one is not fault]
            self._gateway = [one for one in self._gateway if one is not fault]
        return fault

    def clear(self) -> None:
        for fault_id in list(self.all):
            self.remove(fault_id)

    def take_call(self, method: str, path: str, application: str | None) -> Fault | None:
        """The first fault that hits this call, counted."""
        if not self._rest:
            return None
        now = self._clock.now()
        self._rest = [fault for fault in self._rest if fault.active(now)]
        for fault in self._rest:
            if fault.hits_call(method, path, application):
                fault.hits += 1
                return fault
        return None

    def take(self, kind: str, application: str | None, *, event: str | None = None) -> Fault | None:
        """The first gateway fault of that kind for that application, counted."""
        if not self._gateway:
            return None
        now = self._clock.now()
        self._gateway = [fault for fault in self._gateway if fault.active(now)]
        for fault in self._gateway:
            if fault.kind != kind or (event is not None and fault.event != event):
                continue
            if fault.application is None or application is None or fault.application == application:
                fault.hits += 1
                return fault
        return None

    def is_active(self, fault: Fault) -> bool:
        return fault.active(self._clock.now())
