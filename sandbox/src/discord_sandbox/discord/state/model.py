"""Users, guilds, channels, messages, applications and interactions, as kept in memory."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from discord_sandbox.discord.state.attachment import Attachment
from discord_sandbox.discord.state.audit import AuditEntry
from discord_sandbox.discord.state.emoji import CustomEmoji
from discord_sandbox.discord.state.event import ScheduledEvent
from discord_sandbox.discord.state.forum import Forum, Post
from discord_sandbox.discord.state.invite import Invite
from discord_sandbox.discord.state.permissions import Overwrite
from discord_sandbox.discord.state.poll import Poll
from discord_sandbox.discord.state.voice import StageInstance, VoiceSettings, VoiceState

JSON = dict[str, Any]

CATEGORY, ANNOUNCEMENT, FORUM = 4, 5, 15
TEXT, DIRECT, ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD = 0, 1, 10, 11, 12
VOICE, STAGE = 2, 13
THREADS = frozenset({ANNOUNCEMENT_THREAD, PUBLIC_THREAD, PRIVATE_THREAD})
VOICES = frozenset({VOICE, STAGE})

DEFAULT, CHANNEL_PIN, THREAD_CREATED, REPLY, CHAT_INPUT, THREAD_STARTER = 0, 6, 18, 19, 20, 21
CONTEXT_MENU, POLL_RESULT = 23, 46
WRITTEN = frozenset({DEFAULT, REPLY, CHAT_INPUT, CONTEXT_MENU})  # the others are system messages

CROSSPOSTED = 1 << 0
SUPPRESS_EMBEDS, HAS_THREAD, EPHEMERAL, LOADING = 1 << 2, 1 << 5, 1 << 6, 1 << 7
SUPPRESS_NOTIFICATIONS, HAS_SNAPSHOT, COMPONENTS_V2 = 1 << 12, 1 << 14, 1 << 15

PING, COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 1, 2, 3, 4, 5
SLASH_COMMAND, USER_COMMAND, MESSAGE_COMMAND = 1, 2, 3


@dataclass(slots=True, eq=False)
class User:
    id: str
    name: str
    display_name: str
    bot: bool = False
    accepts_messages: bool = True
    avatar: str | None = None  # the hash that names a picture; of webhooks alone


@dataclass(slots=True, eq=False)
class Role:
    id: str
    guild_id: str
    name: str
    permissions: int
    color: int
    position: int
    mentionable: bool
    bot_id: str | None = None
    hoist: bool = False
    unicode_emoji: str | None = None


@dataclass(slots=True, eq=False)
class Member:
    user: User
    guild: "Guild"
    roles: list[str]
    joined_at: float
    nick: str | None = None
    timed_out_until: float | None = None
    flags: int = 0
    mute: bool = False  # by the server, in all voice channels
    deaf: bool = False


@dataclass(slots=True, eq=False)
class Guild:
    """A server. A direct message is the only channel of a `hidden` one, which has its two members."""

    id: str
    name: str
    owner_id: str
    created: float
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    channels: dict[str, "Channel"] = field(default_factory=dict)
    permission_cache: dict[tuple[str, str], int] = field(default_factory=dict)
    hidden: bool = False
    bans: dict[str, str | None] = field(default_factory=dict)  # user id -> reason
    former: set[str] = field(default_factory=set)  # ids of users who left
    voice: dict[str, VoiceState] = field(default_factory=dict)  # by user id
    stages: dict[str, StageInstance] = field(default_factory=dict)  # those that are live, by channel id
    audit_log: list[AuditEntry] = field(default_factory=list)
    emojis: dict[str, CustomEmoji] = field(default_factory=dict)
    invites: dict[str, Invite] = field(default_factory=dict)  # by code
    events: dict[str, ScheduledEvent] = field(default_factory=dict)  # also those that are over


@dataclass(slots=True, eq=False)
class Thread:
    """A thread's part of a channel."""

    parent: "Channel"
    owner_id: str
    created: float
    archived: bool = False
    archived_at: float = 0.0
    auto_archive_minutes: int = 4320
    locked: bool = False
    invitable: bool = True
    message_id: str | None = None
    message_count: int = 0
    total_sent: int = 0
    post: Post | None = None
    members: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Channel:
    id: str
    guild: Guild
    kind: int
    name: str
    topic: str | None = None
    position: int = 0
    slowmode: int = 0
    nsfw: bool = False
    auto_archive_minutes: int | None = None
    category_id: str | None = None
    overwrites: dict[str, Overwrite] = field(default_factory=dict)
    messages: dict[str, "Message"] = field(default_factory=dict)
    last_message_id: str | None = None
    pins: list[str] = field(default_factory=list)  # ids of messages, the newest pin first
    wrote: dict[str, float] = field(default_factory=dict)  # user id -> when, for slow mode
    began: dict[str, float] = field(default_factory=dict)  # the same of threads
    thread: Thread | None = None
    forum: Forum | None = None
    voice: VoiceSettings | None = None
    voice_status: str | None = None

    @property
    def is_thread(self) -> bool:
        return self.thread is not None

    @property
    def holds_messages(self) -> bool:
        return self.kind not in (CATEGORY, FORUM)

    @property
    def is_voice(self) -> bool:
        return self.kind in VOICES

    @property
    def is_direct(self) -> bool:
        return self.kind == DIRECT

    @property
    def in_guild(self) -> JSON:
        """`guild_id` as a part of an object; nothing for a direct message."""
        return {} if self.kind == DIRECT else {"guild_id": self.guild.id}

    @property
    def last_pin(self) -> float | None:
        """When the newest of the pinned messages was pinned, in Unix seconds."""
        found = self.messages.get(self.pins[0]) if self.pins else None
        return found.pinned_at if found is not None else None

    @property
    def recipient(self) -> User | None:
        """The person of a direct message."""
        if self.kind != DIRECT:
            return None
        return next((one.user for one in self.guild.members.values() if not one.user.bot), None)


@dataclass(slots=True, eq=False)
class Message:
    id: str
    channel: Channel
    author: User
    kind: int
    created: float
    content: str = ""
    embeds: list[JSON] = field(default_factory=list)
    components: list[JSON] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    edited: float | None = None
    mentions: list[str] = field(default_factory=list)
    mention_roles: list[str] = field(default_factory=list)
    mention_everyone: bool = False
    notified: list[str] = field(default_factory=list)
    nonce: str | int | None = None
    reference: JSON | None = None
    application_id: str | None = None
    webhook_id: str | None = None  # an application's id in answers to interactions
    interaction: "Interaction | None" = None
    ephemeral_to: str | None = None
    thread: Channel | None = None
    pinned: bool = False
    pinned_at: float = 0.0
    deleted: bool = False
    tts: bool = False
    position: int | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)  # by emoji, custom ones by id
    poll: Poll | None = None
    snapshots: list[JSON] = field(default_factory=list)  # of forwarded messages
    rendered: JSON | None = None

    def unpin(self) -> None:
        self.pinned = False
        self.channel.pins = [one for one in self.channel.pins if one != self.id]


@dataclass(slots=True, eq=False)
class Command:
    """A registered application command; `body` as Discord answers it."""

    id: str
    name: str
    kind: int
    guild_id: str | None
    body: JSON
    permissions: list[JSON] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Application:
    id: str
    name: str
    display_name: str
    description: str
    token: str
    user: User
    guilds: dict[str, Guild]
    privileged_intents: int
    permissions: int
    commands: dict[str, Command] = field(default_factory=dict)
    by_name: dict[tuple[str | None, int, str], Command] = field(default_factory=dict)
    creates: dict[str | None, list[float]] = field(default_factory=dict)
    identifies: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    endpoint_url: str | None = None  # takes interactions by HTTP in place of the gateway
    tags: list[str] = field(default_factory=list)
    emojis: dict[str, CustomEmoji] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Interaction:
    """An interaction, from what a person did to what they were shown. `state` as in the JSON API."""

    id: str
    token: str
    kind: int
    application: Application
    member: Member
    channel: Channel
    created: float
    data: JSON
    label: str = ""
    message: Message | None = None
    source: "Interaction | None" = None
    state: str = "pending"
    reason: str | None = None
    callback: int | None = None
    acked: float | None = None
    answered: float | None = None
    ephemeral: bool = False
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    modal: JSON | None = None
    choices: list[JSON] | None = None
    timer: asyncio.TimerHandle | None = None
    waiters: list["asyncio.Future[None]"] = field(default_factory=list)

    @property
    def command_type(self) -> int:
        """Of a command: slash, user or message."""
        kind: int = self.data.get("type", SLASH_COMMAND)
        return kind
