"""A Discord server in memory: people, channels, and interactions with the bot's real cogs and handlers."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.domain.formatting import duration
from bot.ui.interactions.handlers import orphaned, pressed
from bot.ui.interactions.responder import Responder
from demo.stories.language import StoryError
from demo.stories.world import Answer, Message
from tests.support.paths import ROOT
from tests.support.virtual_time import VirtualClock

# The demo's server: who is there, with which roles.
_HARBOR = json.loads((ROOT / "demo" / "world.json").read_text(encoding="utf-8"))["guilds"][0]
PEOPLE: dict[str, list[str]] = {one["name"]: one.get("roles", []) for one in _HARBOR["people"]}
ROLES: dict[str, int] = {one["name"]: 101 + n for n, one in enumerate(_HARBOR["roles"])}
CHANNELS: dict[str, int] = {one["name"]: 201 + n for n, one in enumerate(_HARBOR["channels"])}
IDS = {name: n for n, name in enumerate(PEOPLE, 1)}

_TOKEN = re.compile(r"<(@&|@|#)(\d+)>|<t:(\d+):([a-zA-Z])>")
_BY_SIGIL = {"@": ("@", IDS), "@&": ("@", ROLES), "#": ("#", CHANNELS)}


class Person(discord.Member):
    """As much of a member as the product looks at."""

    def __init__(self, name: str) -> None:
        self._name = name

    id = property(lambda self: IDS[self._name])  # type: ignore[assignment]
    display_name = property(lambda self: self._name)  # type: ignore[assignment]
    roles = property(lambda self: [_role(name) for name in PEOPLE[self._name]])  # type: ignore[assignment]


def _role(name: str) -> Any:
    return SimpleNamespace(id=ROLES[name], name=name)


@dataclass
class Post:
    """A message with what can be pressed in it. `text` is raw; `custom_ids` by label."""

    id: int
    channel: str
    text: str
    view: discord.ui.LayoutView | None = None
    notified: tuple[str, ...] = ()
    rollout: int | None = None

    def buttons(self) -> dict[str, str]:
        """Custom ids by label, of those that can be pressed."""
        found = [one for one in self._items() if isinstance(one, discord.ui.Button)]
        return {str(one.label): str(one.custom_id) for one in found if not one.disabled}

    def choices(self) -> dict[str, tuple[str, str]]:
        """Custom id of the menu and value, by label."""
        menus = [one for one in self._items() if isinstance(one, discord.ui.Select)]
        return {o.label: (str(menu.custom_id), o.value) for menu in menus for o in menu.options}

    def seen(self) -> Message:
        """As people see it now."""
        return Message(
            id=str(self.id),
            channel=self.channel,
            text=readable(self.text),
            rollout=self.rollout,
            buttons=tuple(self.buttons()),
            choices=tuple(self.choices()),
            notified=self.notified,
        )

    def _items(self) -> Iterable[Any]:
        return self.view.walk_children() if self.view is not None else ()


def text_of(view: discord.ui.LayoutView) -> str:
    """All text of a view, top to bottom."""
    shown = [one.content for one in view.walk_children() if isinstance(one, discord.ui.TextDisplay)]
    return "\n".join(shown)


def readable(text: str) -> str:
    """Mentions as names and times as Discord shows them; what differs between machines is left out."""
    text = re.sub(r"\bseal [0-9a-f]{8}\b", "seal …", text)
    return _TOKEN.sub(_named, text)


def _named(token: re.Match[str]) -> str:
    sigil, number, stamp, style = token.groups()
    if stamp is not None:
        return _moment(datetime.fromtimestamp(int(stamp), UTC), style)
    mark, ids = _BY_SIGIL[sigil]
    return mark + next((name for name, id_ in ids.items() if id_ == int(number)), f"unknown {number}")


def _moment(at: datetime, style: str) -> str:
    if style != "R":
        return at.strftime({"T": "%H:%M:%S", "t": "%H:%M"}.get(style, "%Y-%m-%d %H:%M"))
    # Marks have whole seconds.
    ahead_s = (at - VirtualClock().now().replace(microsecond=0)).total_seconds()
    if not ahead_s:
        return "just now"
    return f"in {duration(ahead_s)}" if ahead_s > 0 else f"{duration(-ahead_s)} ago"


class Interaction:
    """One press, command or form on its way to the bot, and what comes back. Plays its own `response`."""

    def __init__(
        self, number: int, guild_id: int, who: str, kind: discord.InteractionType, data: Any
    ) -> None:
        self.id = number
        self.type = kind
        self.data = data
        self.guild_id = guild_id
        self.user = Person(who)
        self.created_at = datetime.now(UTC)  # its age is measured against real time
        self.guild = SimpleNamespace(
            roles=[_role(name) for name in ROLES],
            text_channels=[SimpleNamespace(id=i, name=n, mention=f"<#{i}>") for n, i in CHANNELS.items()],
        )
        self.response = self
        self.answered: Post | None = None
        self.form: discord.ui.Modal | None = None
        self.private = False
        self._deferred = False

    def is_done(self) -> bool:
        return self._deferred or self.answered is not None or self.form is not None

    async def defer(self, *, ephemeral: bool, thinking: bool) -> None:
        self._deferred, self.private = True, ephemeral

    async def send_message(
        self, content: str = "", *, view: Any = None, ephemeral: bool, allowed_mentions: Any, file: Any = None
    ) -> None:
        self.private = ephemeral
        self._say(content, view)

    async def edit_original_response(
        self, *, content: str = "", view: Any = None, allowed_mentions: Any, attachments: Any = None
    ) -> None:
        self._say(content, view)

    async def send_modal(self, modal: discord.ui.Modal) -> None:
        self.form, self.private = modal, True

    def _say(self, content: str, view: Any) -> None:
        text = content or (text_of(view) if view is not None else "")
        self.answered = Post(self.id, "deploys", text, view)


@dataclass
class ChatBot:
    """What interactions reach: the responder and the cogs of one process."""

    responder: Responder
    cogs: Sequence[commands.Cog]

    def command(self, name: str) -> app_commands.Command[Any, ..., Any] | None:
        """Of the cogs, by the name that people type."""
        for cog in self.cogs:
            for found in cog.walk_app_commands():
                if isinstance(found, app_commands.Command) and found.qualified_name == name:
                    return found
        return None

    async def heard(self, interaction: Any) -> None:
        """A press or a form, as the gateway's client passes it on."""
        for cog in self.cogs:
            for event, listener in cog.get_listeners():
                if event == "on_interaction":
                    await listener(interaction)
        if not interaction.is_done() and not await pressed(self.responder, interaction):
            await orphaned(self.responder, interaction)


@dataclass
class Chat:
    """The server. `bot` is None while no process listens."""

    guild_id: int
    bot: ChatBot | None = None
    posts: dict[str, list[Post]] = field(default_factory=lambda: {name: [] for name in CHANNELS})
    cards: dict[int, Post] = field(default_factory=dict)
    _numbers: Iterable[int] = field(default_factory=lambda: itertools.count(1000))
    _seen: dict[str, Post] = field(default_factory=dict)
    _forms: dict[str, discord.ui.Modal] = field(default_factory=dict)

    # ---- what the bot posts ----

    def post(self, channel: str, text: str, roles: Iterable[int] = (), users: Iterable[int] = ()) -> Post:
        """A new message that notifies exactly these."""
        notified = [who for role in roles for who in self._holders(role)]
        notified += [who for who, id_ in IDS.items() if id_ in set(users)]
        made = Post(self._number(), channel, text, notified=tuple(dict.fromkeys(notified)))
        self.posts[channel].append(made)
        return made

    def put_card(self, rollout_id: int, view: discord.ui.LayoutView) -> None:
        """The card of a rollout looks like this now."""
        card = self.cards.get(rollout_id)
        if card is None:
            card = self.cards[rollout_id] = Post(self._number(), "deploys", "", rollout=rollout_id)
            self.posts["deploys"].append(card)
        card.text, card.view = text_of(view), view

    def _holders(self, role: int) -> list[str]:
        return [who for who, names in PEOPLE.items() if any(ROLES[name] == role for name in names)]

    # ---- what people do ----

    async def command(self, who: str, name: str, options: Mapping[str, str]) -> Answer:
        command = self._listening().command(name)
        if command is None:
            raise StoryError(f"there is no command /{name}")
        interaction = self._interaction(who, discord.InteractionType.application_command, {"name": name})
        await command.callback(command.binding, interaction, **_values(command, options))  # type: ignore[call-arg,arg-type]
        return self._answer(interaction, who)

    async def press(self, who: str, message: Message, button: str) -> Answer:
        custom_id = self._found(message).buttons()[button]
        return await self._component(who, discord.InteractionType.component, {"custom_id": custom_id})

    async def choose(self, who: str, message: Message, choice: str) -> Answer:
        custom_id, value = self._found(message).choices()[choice]
        data = {"custom_id": custom_id, "values": [value]}
        return await self._component(who, discord.InteractionType.component, data)

    async def submit(self, who: str, form: Answer, fields: Mapping[str, str]) -> Answer:
        modal = self._forms[form.id]
        filled = [{"component": {"custom_id": name, "value": value}} for name, value in fields.items()]
        data = {"custom_id": modal.custom_id, "components": filled}
        return await self._component(who, discord.InteractionType.modal_submit, data)

    async def _component(self, who: str, kind: discord.InteractionType, data: Any) -> Answer:
        interaction = self._interaction(who, kind, data)
        await self._listening().heard(interaction)
        return self._answer(interaction, who)

    def _interaction(self, who: str, kind: discord.InteractionType, data: Any) -> Interaction:
        if who not in PEOPLE:
            raise StoryError(f"there is no {who} here, only {', '.join(PEOPLE)}")
        return Interaction(self._number(), self.guild_id, who, kind, data)

    def _listening(self) -> ChatBot:
        if self.bot is None:
            raise StoryError("the application did not respond: no bot is running")
        return self.bot

    def _answer(self, interaction: Interaction, who: str) -> Answer:
        if interaction.answered is None and interaction.form is None:
            raise StoryError("the application did not respond")
        number = str(interaction.id)
        if interaction.form is not None:
            self._forms[number] = interaction.form
        message = None
        if interaction.answered is not None:
            self._seen[number] = interaction.answered
            message = interaction.answered.seen()
        return Answer(number, who, message, interaction.private, form=interaction.form is not None)

    def _found(self, message: Message) -> Post:
        everything = {str(one.id): one for posts in self.posts.values() for one in posts}
        return {**self._seen, **everything}[message.id]

    def _number(self) -> int:
        return next(self._numbers)  # type: ignore[call-overload,no-any-return]


def _values(command: app_commands.Command[Any, ..., Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of the command's function, as Discord's client would let a person send them."""
    known = {one.display_name: one for one in command.parameters}
    if unknown := set(given) - set(known):
        raise StoryError(
            f"/{command.qualified_name} has no option {', '.join(sorted(unknown))}: {', '.join(known)}"
        )
    if missing := [name for name, one in known.items() if one.required and name not in given]:
        raise StoryError(f"/{command.qualified_name} needs {', '.join(missing)}")
    return {known[name].name: _value(known[name], text) for name, text in given.items()}


def _value(option: app_commands.Parameter, text: str) -> Any:
    if option.type is discord.AppCommandOptionType.boolean:
        return text == "true"
    if option.type is discord.AppCommandOptionType.integer:
        return int(text)
    if option.choices and text not in {choice.value for choice in option.choices}:
        raise StoryError(f"{option.display_name} is one of {', '.join(str(c.value) for c in option.choices)}")
    return text
