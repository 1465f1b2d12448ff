"""Log of the newest REST calls, so that scripts can check what was sent."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

KEPT = 5_000


@dataclass(slots=True)
class LoggedCall:
    """One call; `body` as sent, `error` as refused, `ignored` the keys in the body that Discord ignores.

    `modelled`: whether the sandbox has the route.
    """

    n: int
    time: float
    method: str
    path: str
    route: str
    application: str | None = None
    status: int = 0
    ms: float = 0.0
    body: Any = None
    error: Any = None
    fault: str | None = None
    modelled: bool = True
    ignored: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


class RequestLog:
    def __init__(self) -> None:
        self.last = 0
        self.calls: deque[LoggedCall] = deque(maxlen=KEPT)

    def open(self, time: float, method: str, path: str, route: str) -> LoggedCall:
        self.last += 1
        call = LoggedCall(self.last, time, method, path, route)
        self.calls.append(call)
        return call

    def since(self, last: int) -> list[LoggedCall]:
        return [call for call in self.calls if call.n > last]

    def clear(self) -> None:
        """Forget the calls; numbers continue, so that a script's cursor stays valid."""
        self.calls.clear()
