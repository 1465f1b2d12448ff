"""The weighted router: one listening address, two releases, exactly the ordered share to each.

A new split applies to the next request. A request that an instance refused, broke off or left hanging counts as bad
for its release, also when stable then answered it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from bot.adapters.routers.counts import InstanceCounts
from bot.adapters.routers.forward import LONGEST_FIELD, Broken, Outcome, Undelivered, client_session, forward
from bot.adapters.routers.split import Shuffle, sticks
from bot.adapters.routers.upgrade import Declined, open_upstream, pass_messages, wants_websocket

# Retried on another instance when the first gave no answer: RFC 9110 calls these methods safe.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_AGAIN_AFTER_S = 0.05


@dataclass(frozen=True, slots=True)
class Backend:
    """One instance that is ready. `address` is ``http://host:port``."""

    digest: str
    version: str
    address: str
    counts: InstanceCounts


@dataclass(frozen=True, slots=True)
class Split:
    """The ready instances, and the candidate's share in per cent. Stable also answers for a dead candidate.

    `alone`: there is no stable release, so the candidate gets everything.
    """

    stable: tuple[Backend, ...] = ()
    candidate: tuple[Backend, ...] = ()
    weight: int = 0
    alone: bool = False


class WeightedRouter:
    """Router of one lane. `suspect` is called when an instance refuses or drops a connection."""

    def __init__(
        self,
        *,
        suspect: Callable[[str], None] = lambda digest: None,
        rng: random.Random | None = None,
    ) -> None:
        self.configure(None, 30.0, 5.0)
        self.unrouted = 0
        self._suspect = suspect
        self._shuffle = Shuffle(rng)
        self._split = Split()
        self._changed = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None

    def configure(self, sticky_header: str | None, request_timeout_s: float, wait_s: float) -> None:
        """Change settings for the next requests; see `HostedLaneSettings`."""
        self._sticky_header = sticky_header
        self._request_timeout_s = request_timeout_s
        self._wait_s = wait_s

    def route(self, split: Split) -> None:
        """Route the next request, and those that wait, by `split`."""
        self._split = split
        self._changed.set()
        self._changed = asyncio.Event()

    async def serve(self, listening: socket.socket) -> None:
        """Accept connections on `listening`, which stays the caller's to close."""
        self._session = client_session()
        server = web.Server(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            max_line_size=LONGEST_FIELD,
            max_field_size=LONGEST_FIELD,
        )
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        # A duplicate, because aiohttp closes the socket.
        await web.SockSite(self._runner, listening.dup()).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        deadline = time.monotonic() + self._wait_s
        to_candidate = self._goes_to_candidate(request)
        failed: set[str] = set()
        while True:
            backend = self._backend(to_candidate)
            if backend is None:
                if not await self._wait(deadline):
                    self.unrouted += 1
                    return _sentence(503, "No release is ready to serve this.", {"Retry-After": "1"})
                to_candidate = not failed and self._goes_to_candidate(request)
                continue
            try:
                return await self._try(backend, request, counted=backend.digest not in failed)
            except Undelivered as problem:
                to_candidate = False
                if not await self._may_ask_again(request, backend, problem, failed, deadline):
                    return _unanswered(problem)

    async def _may_ask_again(
        self,
        request: web.BaseRequest,
        backend: Backend,
        problem: Undelivered,
        failed: set[str],
        deadline: float,
    ) -> bool:
        """Whether to try stable now. A refused request reached no instance, and a safe one may be repeated."""
        self._suspect(backend.digest)
        first = backend.digest not in failed
        failed.add(backend.digest)
        if problem.sent:
            safe = request.method in _SAFE and not request.body_exists
            other = self._backend(False)
            hung_again = problem.outcome == "timeout" and (other is None or other.digest == backend.digest)
            return safe and first and not hung_again
        return first or await self._wait(deadline)

    def _goes_to_candidate(self, request: web.BaseRequest) -> bool:
        split = self._split
        if split.weight == 0:
            return False
        if split.alone:
            return True
        if self._sticky_header and split.candidate:
            value = request.headers.get(self._sticky_header)
            if value:
                return sticks(value, split.candidate[0].digest, split.weight)
        return self._shuffle.next(split.weight)

    def _backend(self, to_candidate: bool) -> Backend | None:
        split = self._split
        # The split may have changed while the request waited.
        chosen = split.candidate if to_candidate and split.weight else split.stable
        if not chosen and split.weight == 100:
            chosen = split.candidate
        if len(chosen) < 2:
            return chosen[0] if chosen else None
        fewest = min(backend.counts.in_flight for backend in chosen)
        return random.choice([backend for backend in chosen if backend.counts.in_flight == fewest])

    async def _wait(self, deadline: float) -> bool:
        """Wait briefly for another split; False when the time is up."""
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), min(left, _AGAIN_AFTER_S))
        return True

    async def _try(self, backend: Backend, request: web.BaseRequest, *, counted: bool) -> web.StreamResponse:
        """One attempt, counted for its release unless an earlier one of the same request was."""
        ticket = backend.counts.begin()
        outcome: Outcome = "cancelled"
        assert self._session is not None
        try:
            if wants_websocket(request):
                upstream = await open_upstream(self._session, backend.address, request)
                outcome = "ok"
            else:
                response, outcome = await forward(
                    self._session,
                    backend.address,
                    request,
                    self._request_timeout_s,
                    endless=lambda: backend.counts.answered(ticket),
                )
                return response
        except Declined as answer:
            outcome = "error" if answer.status >= 500 else "ok"
            return _sentence(answer.status, "The release declined the WebSocket.")
        except Undelivered as problem:
            if problem.outcome == "cancelled":
                raise asyncio.CancelledError from None
            outcome = problem.outcome
            raise
        except Broken as broken:
            outcome = broken.outcome
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None
        finally:
            backend.counts.finish(ticket, outcome if counted else None)
        return await pass_messages(request, upstream)


def _unanswered(problem: Undelivered) -> web.Response:
    if problem.outcome == "timeout":
        return _sentence(504, "The release did not answer in time.")
    return _sentence(502, "The release did not answer.")


def _sentence(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text + "\n", headers=headers)
