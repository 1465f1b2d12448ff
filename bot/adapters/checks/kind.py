"""What kinds of checks share: their contract, what they are made with, and addresses of hosts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp

from bot.adapters.checks.session import SystemResolver
from bot.domain.rollout.model import Lane
from bot.kinds import CheckSettings, Kind
from bot.ports.errors import Unreachable
from bot.values import shaped

C = TypeVar("C", bound=CheckSettings)


class CheckFailed(Exception):
    """The check failed; a sentence with the expected and the actual result, without secrets.

    parts: what of the service is not well, where it says so.
    """

    def __init__(self, sentence: str, parts: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.parts = parts


@dataclass(frozen=True, slots=True)
class CheckSubject:
    """What a check is asked of.

    address: where the lane or the candidate answers (``http://host:port``); None: not known. candidate: a release
    without traffic, which is asked even if the check names an address of its own.
    """

    lane: Lane
    address: str | None = None
    candidate: bool = False


class CheckKind(Protocol):
    """One class for each kind of `checks:`."""

    async def ask(self, subject: CheckSubject) -> None:
        """Ask once. Bounded in what it reads; the caller bounds the time. Raises `CheckFailed`, `TimeoutError`."""
        ...


async def unseen(user_id: int) -> str | None:
    """Outside of the running Slipway no one is told who is online."""
    raise Unreachable("only the running Slipway is told who is online")


@dataclass(frozen=True, slots=True)
class CheckContext:
    """Argument of every check's factory.

    session: for HTTP; see `bot.adapters.checks.session`. presence: how Discord shows a user (`online`, `offline` …),
    None for one who is in none of Slipway's servers; raises `Unreachable`.
    """

    session: aiohttp.ClientSession
    resolver: SystemResolver
    presence: Callable[[int], Awaitable[str | None]] = unseen


HostPort = Annotated[str, *shaped(r"^(\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]]+):\d{1,5}$", "host:port")]


def host_port(address: str) -> tuple[str, int]:
    """The two parts of a `HostPort` or of ``http://host:port``."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    return parts.hostname or "", parts.port or (443 if parts.scheme in ("https", "wss") else 80)


def target_of(address: str | None, subject: CheckSubject) -> tuple[str, int]:
    """Host and port to connect to. Raises `CheckFailed` where none is known."""
    at = subject.address if subject.candidate or address is None else address
    if at is None:
        raise CheckFailed(f"{subject.lane} has no address that it could be asked at.")
    return host_port(at)


def failed_to_connect(problem: BaseException) -> str:
    """Why there was no connection, to end a sentence."""
    if isinstance(problem, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(problem, ConnectionError):
        return "the connection was closed"
    return getattr(problem, "strerror", None) or type(problem).__name__


def check_kind(settings: type[C], make: Callable[[C, CheckContext], CheckKind]) -> Kind:
    """An entry of `checks:`."""
    return Kind(settings, make)
