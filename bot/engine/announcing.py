"""Telling people: effects for Discord, done through the announcer under keys that may be repeated."""

from __future__ import annotations

import asyncio

from bot.domain.events import DrawCard, LogLine, Notify
from bot.domain.records import Claimed
from bot.ports import Announcer, EffectStore, Notice, Unreachable


class Announcing:
    """Executes what is for people. Closes claims in batches: many small commits would be the slowest part."""

    def __init__(self, announcer: Announcer, effects: EffectStore) -> None:
        self._announcer = announcer
        self._effects = effects
        self._done: list[tuple[Claimed, asyncio.Future[None]]] = []
        self._closing = False

    async def execute(self, claim: Claimed) -> None:
        """Raises `Unreachable` to be tried again."""
        rollout_id = claim.rollout_id
        if rollout_id is None:
            raise TypeError("what is told to people is about a rollout")
        match claim.effect:
            case DrawCard():
                await self._announcer.draw_card(rollout_id)
            case LogLine(text=text):
                await self._announcer.log_line(rollout_id, claim.key, text, claim.created_at)
            case Notify() as notify:
                await self._announcer.notify(
                    Notice(
                        key=claim.key,
                        rollout_id=rollout_id,
                        what=notify.what,
                        text=notify.text,
                        mention_roles=notify.mention_roles,
                        mention_users=notify.mention_users,
                    )
                )
            case other:
                raise TypeError(f"{other.kind} is not for people")

    async def record(self, claim: Claimed, outcome: None) -> None:
        """Returns when the claim is closed."""
        closed = asyncio.get_running_loop().create_future()
        self._done.append((claim, closed))
        if not self._closing:
            self._closing = True
            try:
                await self._close_all()
            finally:
                self._closing = False
        await closed

    async def _close_all(self) -> None:
        # What finishes while one batch is being closed makes up the next.
        while self._done:
            batch, self._done = self._done, []
            try:
                await self._effects.close([claim for claim, _ in batch])
            except BaseException as error:
                _settle(batch, error if isinstance(error, Exception) else Unreachable("interrupted"))
                if not isinstance(error, Exception):
                    raise
            else:
                _settle(batch, None)


def _settle(batch: list[tuple[Claimed, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, closed in batch:
        if closed.done():
            continue
        if error is None:
            closed.set_result(None)
        else:
            closed.set_exception(error)
            closed.exception()  # whoever waits raises it; a waiter that is gone is no reason for a warning
