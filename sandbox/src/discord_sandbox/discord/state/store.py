"""The state of the sandbox, indexed for every look-up; built from a World."""

from collections import OrderedDict
from collections.abc import Iterator

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state import seed
from discord_sandbox.discord.state.attachment import Attachment
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.emoji import CustomEmoji
from discord_sandbox.discord.state.ids import SnowflakeMaker, named_id
from discord_sandbox.discord.state.model import (
    DIRECT,
    HAS_THREAD,
    PRIVATE_THREAD,
    Application,
    Channel,
    Guild,
    Interaction,
    Member,
    Message,
    Role,
    User,
)
from discord_sandbox.discord.state.webhook import Webhook
from discord_sandbox.world import World

DIRECT_PERMISSIONS = (
    "VIEW_CHANNEL",
    "SEND_MESSAGES",
    "EMBED_LINKS",
    "ATTACH_FILES",
    "READ_MESSAGE_HISTORY",
    "ADD_REACTIONS",
    "USE_APPLICATION_COMMANDS",
    "PIN_MESSAGES",
)
KEPT_INTERACTIONS = 20_000
KEPT_DELETED = 1_000


class State:
    """All mutable state. `restart` returns to the start, on request with commands kept."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world = world
        self.clock = clock
        self.new_id = SnowflakeMaker(clock)
        self.applications: dict[str, Application] = {}
        self.by_token: dict[str, Application] = {}
        self.restart(keep_commands=False)

    def restart(self, *, keep_commands: bool = True) -> None:
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, Message] = {}
        self.deleted: OrderedDict[str, Message] = OrderedDict()
        self.attachments: dict[str, Attachment] = {}
        self.interactions: OrderedDict[str, Interaction] = OrderedDict()
        self.webhooks: dict[str, Webhook] = {}
        self.nonces: dict[tuple[str, str, str], tuple[float, Message]] = {}
        self.old_edits: dict[str, list[float]] = {}
        for spec in self.world.guilds:
            guild = seed.guild(spec, self.users)
            self.guilds[guild.id] = guild
            self.channels |= guild.channels
        former = self.applications
        self.applications = {}
        self.by_token = {}
        for application in self.world.applications:
            built = self.applications[named_id("application", application.name)] = seed.application(
                application, self.users
            )
            for guild in self.guilds.values():
                if not application.guilds or guild.name in application.guilds:
                    self.install(built, guild)
            old = former.get(built.id)
            if old is not None:
                built.endpoint_url = old.endpoint_url
            if old is not None and keep_commands:
                built.commands, built.by_name, built.token = old.commands, old.by_name, old.token
                built.emojis = old.emojis
            self.by_token[built.token] = built

    def install(self, application: Application, guild: Guild) -> Role:
        """Put a bot into a guild, with a role of its own above all others."""
        joined = guild.created if application.id not in guild.former else self.clock.now()
        return seed.install(application, guild, joined)

    def add_channel(self, channel: Channel) -> None:
        self.channels[channel.id] = channel
        channel.guild.channels[channel.id] = channel

    def direct_channel(self, application: Application, person: User) -> Channel:
        """The direct messages between a bot and a person; made on the first call."""
        channel_id = named_id("direct", application.name, person.name)
        found = self.channels.get(channel_id)
        if found is not None:
            return found
        # Shard 0 has all direct messages, and `Session.owns` places a guild by its id.
        guild = Guild("0", "", "", self.clock.now(), hidden=True)
        guild.roles["0"] = Role("0", "0", "@everyone", perms.bits(DIRECT_PERMISSIONS), 0, 0, False)
        for user in (application.user, person):
            guild.members[user.id] = Member(user, guild, [], guild.created)
        channel = Channel(channel_id, guild, DIRECT, person.name)
        self.add_channel(channel)
        return channel

    def accepts(self, person: User, application: Application) -> bool:
        """Whether the bot may send the person direct messages: they let it, and are in a server with it."""
        together = any(person.id in guild.members for guild in application.guilds.values())
        return person.accepts_messages and together

    def remove_channel(self, channel: Channel) -> None:
        self.channels.pop(channel.id, None)
        channel.guild.channels.pop(channel.id, None)
        self.webhooks = {key: one for key, one in self.webhooks.items() if one.channel is not channel}
        guild = channel.guild
        guild.invites = {key: one for key, one in guild.invites.items() if one.channel_id != channel.id}
        for message in channel.messages.values():
            self.messages.pop(message.id, None)
        if channel.thread is not None and channel.thread.message_id in self.messages:
            starter = self.messages[channel.thread.message_id]
            starter.thread, starter.rendered = None, None
            starter.flags &= ~HAS_THREAD

    def add_message(self, message: Message) -> None:
        channel = message.channel
        channel.messages[message.id] = message
        self.messages[message.id] = message
        if message.ephemeral_to is None:
            channel.last_message_id = message.id
            if channel.thread is not None:
                message.position = channel.thread.message_count
                channel.thread.message_count += 1
                channel.thread.total_sent += 1

    def remove_message(self, message: Message) -> None:
        message.deleted = True
        message.channel.messages.pop(message.id, None)
        self.messages.pop(message.id, None)
        if message.pinned:
            message.unpin()
        if message.channel.thread is not None and message.ephemeral_to is None:
            message.channel.thread.message_count -= 1
        self.deleted[message.id] = message
        if len(self.deleted) > KEPT_DELETED:
            self.deleted.popitem(last=False)

    def add_interaction(self, interaction: Interaction) -> None:
        self.interactions[interaction.id] = interaction
        if len(self.interactions) > KEPT_INTERACTIONS:
            self.interactions.popitem(last=False)

    def threads_of(self, channel: Channel) -> Iterator[Channel]:
        for other in channel.guild.channels.values():
            if other.thread is not None and other.thread.parent is channel:
                yield other

    def permissions(self, member: Member, channel: Channel | None = None) -> int:
        """The member's permissions in the guild, or in one channel.

        A thread has its parent's; a private one is only for its members and those who manage threads.
        """
        guild = member.guild
        place = channel.thread.parent if channel is not None and channel.thread is not None else channel
        key = (member.user.id, place.id if place is not None else "")
        value = guild.permission_cache.get(key)
        if value is None:
            value = guild.permission_cache[key] = self._compute(member, place)
        if channel is not None and channel.kind == PRIVATE_THREAD and channel.thread is not None:
            inside = member.user.id in channel.thread.members or value & perms.MANAGE_THREADS
            value = value if inside else 0
        until = member.timed_out_until
        if until is not None and value != perms.ALL and self.clock.now() < until:
            return value & perms.TIMED_OUT
        return value

    def visible(self, member: Member) -> set[str]:
        """Ids of the channels that they see, without threads. A category is seen with any channel in it."""
        channels = [one for one in member.guild.channels.values() if not one.is_thread]
        seen = [one for one in channels if self.permissions(member, one) & perms.VIEW_CHANNEL]
        return {one.id for one in seen} | {one.category_id for one in seen if one.category_id is not None}

    def _compute(self, member: Member, channel: Channel | None) -> int:
        guild = member.guild
        if member.user.id == guild.owner_id:
            return perms.ALL
        base = guild.roles[guild.id].permissions
        for role_id in member.roles:
            if (role := guild.roles.get(role_id)) is not None:
                base |= role.permissions
        if base & perms.ADMINISTRATOR:
            return perms.ALL
        if channel is None:
            return base
        value = perms.in_channel(base, guild.id, member.roles, member.user.id, channel.overwrites)
        if channel.is_voice and not value & perms.CONNECT:
            return value & perms.VIEW_CHANNEL  # without it, a voice channel can only be seen
        return value

    def emoji(self, emoji_id: str) -> CustomEmoji | None:
        """A custom emoji of any server or application."""
        owners: tuple[Guild | Application, ...] = (*self.guilds.values(), *self.applications.values())
        return next((one.emojis[emoji_id] for one in owners if emoji_id in one.emojis), None)

    def channel(self, channel_id: str) -> Channel:
        """Raises 10003."""
        found = self.channels.get(channel_id)
        if found is None:
            raise DiscordError(10003)
        return found

    def reset_token(self, application: Application) -> str:
        self.by_token.pop(application.token, None)
        application.token = seed.default_token(application.id, f"{application.name}.{self.new_id()}")
        self.by_token[application.token] = application
        return application.token
