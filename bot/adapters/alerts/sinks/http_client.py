"""HTTP client of sinks: bounded in time and size, without redirects, and without addresses in errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp

from bot.adapters.sources.addresses import address, is_loopback
from bot.domain.formatting import one_line
from bot.kinds import Kind, SettingsProblem, SinkSettings
from bot.ports.errors import RateLimited, SinkRefused, Unreachable
from bot.ports.watch.sinks import AlertSink

K = TypeVar("K", bound=SinkSettings)
_LARGEST, _SHOWN = 1024 * 1024, 200
_TRY_AGAIN = (408, 425)
# Where the other side does not say how long: PagerDuty suggests 30 s.
_PAUSE_S = 30.0
_LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True, slots=True)
class SinkContext:
    """What sinks are made with."""

    session: aiohttp.ClientSession


@dataclass(frozen=True, slots=True)
class SinkReply:
    """An answer that is not about trying again. headers: compared without case."""

    status: int
    headers: Mapping[str, str]
    text: str

    def refusal(self, whom: str) -> SinkRefused:
        said = one_line(self.text, _SHOWN)
        return SinkRefused(f"{whom} answered {self.status}{f': {said}' if said else ''}")


async def send(
    session: aiohttp.ClientSession,
    whom: str,
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str],
    timeout_s: float,
) -> SinkReply:
    """The answer of `whom`, as errors call it. Raises `Unreachable`, `RateLimited`.

    The address may be a secret, so it is in no error.
    """
    try:
        async with session.request(
            method,
            url,
            data=body,
            headers={"User-Agent": "slipway", **headers},
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            allow_redirects=False,
        ) as answer:
            content = await _read(answer)
            reply = SinkReply(answer.status, answer.headers, content.decode("utf-8", "replace"))
    except TimeoutError:
        raise Unreachable(f"{whom} did not answer within {timeout_s:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"{whom} cannot be reached ({type(error).__name__})") from None
    if reply.status == 429:
        raise RateLimited(f"{whom} takes no more for now", pause(reply.headers.get("Retry-After", "")))
    if reply.status >= 500 or reply.status in _TRY_AGAIN:
        raise Unreachable(f"{whom} answered {reply.status}")
    return reply


def pause(seconds: str) -> float:
    """The seconds of a header such as `Retry-After`, within reason; half a minute where it says none."""
    given = float(seconds) if seconds.isascii() and seconds.isdigit() else _PAUSE_S
    return min(max(given, 1.0), _LONGEST_PAUSE_S)


def insecure(key: str, url: str) -> Iterator[SettingsProblem]:
    """The mistake of an address that would send secrets in clear over a network."""
    try:
        parts = urlsplit(url)
        literal = address(parts.hostname or "")
    except ValueError:
        yield SettingsProblem((key,), "must be an address.")
        return
    local = parts.hostname == "localhost" or (literal is not None and is_loopback(literal))
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        yield SettingsProblem((key,), "must be an address that starts with https://.")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The first MiB."""
    found = bytearray()
    async for part in answer.content.iter_any():
        found += part
        if len(found) >= _LARGEST:
            break
    return bytes(found[:_LARGEST])


def sink_kind(settings: type[K], make: Callable[[str, K, SinkContext], AlertSink]) -> Kind:
    """An entry of `sinks:`; `make` takes its name in the catalog."""
    return Kind(settings, make)
