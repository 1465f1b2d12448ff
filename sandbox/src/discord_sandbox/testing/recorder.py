"""What bots called, with assertions; from the sandbox's log of requests."""

import difflib
import re
from collections.abc import Iterable

from discord_sandbox.discord.traffic.request_log import KEPT, LoggedCall, RequestLog

_PARAMETER = re.compile(r"\{[^}]*\}")
_PEOPLE = "/sandbox/"


class Recorder:
    """The calls of bots since the recorder was made or cleared, oldest first.

    A route is a method and a path below `/api/v10`, with `{}` or any `{name}` for a parameter:
    `POST /channels/{}/messages`. Without a method, every method fits; a path with its ids fits exactly that path.
    """

    def __init__(self, log: RequestLog, routes: Iterable[str]) -> None:
        self._log = log
        self._since = log.last
        self._routes = {_pattern(one) for one in routes}

    def clear(self) -> None:
        """Forget the calls so far."""
        self._since = self._log.last

    def calls(self, route: str = "", *, application: str = "") -> list[LoggedCall]:
        """The calls of a route, each with `method`, `path`, `route`, `body`, `status`, `error` and `ms`.

        Raises ValueError for a route that is not modelled and was not called, RuntimeError if the log did not
        keep all calls.
        """
        method, _, path = route.rpartition(" ")
        found = [
            one
            for one in self._all()
            if application in ("", one.application)
            and method.upper() in ("", one.method)
            and (path in ("", one.path) or _pattern(path) == _pattern(one.route))
        ]
        if not found and "{" in path:
            self._check(method.upper(), path)
        return found

    def call(self, route: str, *, application: str = "") -> LoggedCall:
        """The only call of a route. Raises AssertionError if there is none, or more than one."""
        found = self.calls(route, application=application)
        if len(found) != 1:
            raise AssertionError(f"{route} was called {len(found)} times, not once.{_listed(self._all())}")
        return found[0]

    def errors(self) -> list[LoggedCall]:
        """The calls that were refused, without those hit by an injected fault."""
        return [one for one in self._all() if one.status >= 400 and one.fault is None]

    def assert_no_errors(self) -> None:
        found = self.errors()
        if found:
            raise AssertionError(f"{len(found)} of {len(self._all())} calls were refused:{_listed(found)}")

    def _all(self) -> list[LoggedCall]:
        found = self._log.since(self._since)
        if len(self._log.calls) == KEPT and self._log.calls[0].n > self._since + 1:
            raise RuntimeError(f"The log keeps {KEPT:,} calls, and there were more: clear() the recorder.")
        return [one for one in found if not one.path.startswith(_PEOPLE)]

    def _check(self, method: str, path: str) -> None:
        wanted = f"{method} {_pattern(path)}".strip()
        known = self._routes if method else {one.partition(" ")[2] for one in self._routes}
        if wanted not in known:
            near = difflib.get_close_matches(wanted, known, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ValueError(f"The sandbox has no route {wanted}.{hint}")


def _pattern(route: str) -> str:
    return _PARAMETER.sub("{}", route)


def _listed(calls: list[LoggedCall]) -> str:
    return "".join(f"\n  {one.status} {one.method} {one.path} {one.error or ''}".rstrip() for one in calls)
