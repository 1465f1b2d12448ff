"""Interactions: three seconds for the first response, fifteen minutes for follow-ups."""

import asyncio
import base64
import binascii
import secrets

from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.actions.posts import Posts
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import (
    AUTOCOMPLETE,
    JSON,
    Application,
    Channel,
    Interaction,
    Member,
    Message,
)
from discord_sandbox.discord.state.store import State

FIRST_ANSWER, TOKEN_LIFE = 3.0, 900.0
OPEN = ("pending", "deferred")


class Interactions:
    """Starts interactions, enforces their time limits, and knows when they are settled."""

    def __init__(self, state: State, clock: Clock, broadcast: Broadcast, posts: Posts) -> None:
        self.state = state
        self.clock = clock
        self.broadcast = broadcast
        self.posts = posts
        self._open: dict[str, Interaction] = {}
        clock.subscribe(self._sweep)

    def begin(
        self,
        kind: int,
        application: Application,
        member: Member,
        channel: Channel,
        data: JSON,
        *,
        label: str = "",
        message: Message | None = None,
        source: Interaction | None = None,
    ) -> Interaction:
        """Send a new interaction to the bot and start its three seconds."""
        number = self.state.new_id()
        secret = f"interaction:{number}:{secrets.token_urlsafe(48)}"
        token = base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")
        interaction = Interaction(
            number,
            token,
            kind,
            application,
            member,
            channel,
            self.clock.now(),
            data,
            label=label,
            message=message,
            source=source,
        )
        self.state.add_interaction(interaction)
        self._open[number] = interaction
        self._arm(interaction, FIRST_ANSWER)
        self.broadcast.interaction_created(interaction)
        return interaction

    def of_token(self, application_id: str, token: str) -> Interaction:
        """The interaction of a webhook address. Raises 10015 (unknown), 50027 (older than 15 minutes)."""
        interaction = self._decode(token)
        if interaction is None or interaction.application.id != application_id:
            raise DiscordError(10015)
        if self.clock.now() - interaction.created > TOKEN_LIFE:
            raise DiscordError(50027)
        return interaction

    def _decode(self, token: str) -> Interaction | None:
        try:
            secret = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
        parts = secret.split(":")
        found = self.state.interactions.get(parts[1]) if len(parts) == 3 else None
        return found if found is not None and found.token == token else None

    def unanswered(self, interaction_id: str, token: str) -> Interaction:
        """An interaction that can get its first response now. Raises 10062 or 40060."""
        interaction = self.state.interactions.get(interaction_id)
        if interaction is None or interaction.token != token:
            raise DiscordError(10062)
        if interaction.callback is not None:
            raise DiscordError(40060)
        if interaction.state == "failed" or self.clock.now() - interaction.created > FIRST_ANSWER:
            raise DiscordError(10062)
        return interaction

    def acknowledge(self, interaction: Interaction, callback: int, state: str) -> None:
        interaction.callback = callback
        interaction.acked = self.clock.now()
        self._move(interaction, state)

    def fail(self, interaction: Interaction, reason: str) -> None:
        """Give up on an interaction that has no response yet."""
        if interaction.state == "pending":
            self._move(interaction, "failed", reason)

    def followed(self, interaction: Interaction) -> None:
        """Record a follow-up; after a deferral, it counts as the answer."""
        if interaction.state == "deferred":
            self._move(interaction, "answered")
        else:
            self.broadcast.interaction_updated(interaction)

    def _move(self, interaction: Interaction, state: str, reason: str | None = None) -> None:
        interaction.state = state
        interaction.reason = reason
        if interaction.timer is not None:
            interaction.timer.cancel()
            interaction.timer = None
        if state == "deferred":
            self._arm(interaction, TOKEN_LIFE)
        else:
            self._open.pop(interaction.id, None)
            if state in ("answered", "modal"):
                interaction.answered = self.clock.now()
            for waiter in interaction.waiters:
                if not waiter.done():
                    waiter.set_result(None)
            interaction.waiters.clear()
        self.broadcast.interaction_updated(interaction)

    def _arm(self, interaction: Interaction, limit: float) -> None:
        left = max(0.0, interaction.created + limit - self.clock.now())
        interaction.timer = asyncio.get_running_loop().call_later(left + 0.01, self._check, interaction)

    def _check(self, interaction: Interaction) -> None:
        age = self.clock.now() - interaction.created
        if interaction.state == "pending":
            if age <= FIRST_ANSWER:
                self._arm(interaction, FIRST_ANSWER)
                return
            self._move(interaction, "failed", self._why(interaction))
        elif interaction.state == "deferred":
            if age <= TOKEN_LIFE:
                self._arm(interaction, TOKEN_LIFE)
            elif interaction.callback == 6:
                self._move(interaction, "answered")
            else:
                self._move(interaction, "failed", "The deferral was not followed up within 15 minutes.")

    def _why(self, interaction: Interaction) -> str:
        if interaction.kind == AUTOCOMPLETE:
            return "No choices within 3 seconds."
        return "The application did not respond within 3 seconds."

    def _sweep(self) -> None:
        for interaction in list(self._open.values()):
            if interaction.timer is not None:
                interaction.timer.cancel()
            self._check(interaction)

    async def settled(self, interaction: Interaction, seconds: float) -> None:
        """Wait until the interaction is neither pending nor deferred, for at most `seconds`."""
        if interaction.state not in OPEN or seconds <= 0:
            return
        waiter = asyncio.get_running_loop().create_future()
        interaction.waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except TimeoutError:
            return
        finally:
            if waiter in interaction.waiters:
                interaction.waiters.remove(waiter)

    def clear(self, why: str) -> None:
        """Fail all that are open."""
        for interaction in list(self._open.values()):
            self._move(interaction, "failed", why)

    def take_up(self) -> None:
        """Go on with the open interactions of a world that was restored, in the time that they have left."""
        for interaction in self.state.interactions.values():
            if interaction.state in OPEN:
                self._open[interaction.id] = interaction
                self._arm(interaction, FIRST_ANSWER if interaction.state == "pending" else TOKEN_LIFE)
