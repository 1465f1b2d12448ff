"""What a world describes, as servers, people and bots; ids come from names."""

import base64

from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.forum import Forum
from discord_sandbox.discord.state.ids import named_id, seconds_of
from discord_sandbox.discord.state.model import (
    ANNOUNCEMENT,
    CATEGORY,
    FORUM,
    STAGE,
    TEXT,
    VOICE,
    VOICES,
    Application,
    Channel,
    Guild,
    Member,
    Role,
    User,
)
from discord_sandbox.discord.state.voice import VoiceSettings
from discord_sandbox.world import ApplicationSpec, ChannelSpec, GuildSpec, PersonSpec

PRIVILEGED = {"GUILD_MEMBERS": 1 << 1, "GUILD_PRESENCES": 1 << 8, "MESSAGE_CONTENT": 1 << 15}

CHANNEL_KINDS = {
    "text": TEXT,
    "announcement": ANNOUNCEMENT,
    "category": CATEGORY,
    "forum": FORUM,
    "voice": VOICE,
    "stage": STAGE,
}


def default_token(application_id: str, name: str) -> str:
    """A token in Discord's format: its first part is the application's id."""
    return f"{base64.b64encode(application_id.encode()).decode().rstrip('=')}.sandbox.{name}"


def guild(spec: GuildSpec, users: dict[str, User]) -> Guild:
    """A server with its roles, people and channels. Adds its people to `users`."""
    guild_id = named_id("guild", spec.name)
    created = seconds_of(int(guild_id))
    made = Guild(guild_id, spec.name, named_id("user", spec.owner), created)
    made.roles[guild_id] = Role(guild_id, guild_id, "@everyone", perms.bits(spec.everyone), 0, 0, False)
    by_name: dict[str, str] = {}
    for position, role in enumerate(reversed(spec.roles), 1):
        role_id = by_name[role.name] = named_id("role", spec.name, role.name)
        value = perms.bits(role.permissions)
        made.roles[role_id] = Role(
            role_id,
            guild_id,
            role.name,
            value,
            role.color,
            position,
            role.mentionable,
            hoist=bool(role.color),
        )
    owner = PersonSpec(spec.owner, spec.owner.capitalize())
    known = any(one.name == spec.owner for one in spec.people)
    for person in spec.people if known else (*spec.people, owner):
        user = users.setdefault(
            named_id("user", person.name),
            new_person(person.name, person.display_name, person.accepts_messages),
        )
        made.members[user.id] = Member(user, made, [by_name[name] for name in person.roles], created)
    for position, one in enumerate(spec.channels):
        channel = _channel(made, one, position)
        made.channels[channel.id] = channel
    return made


def _channel(guild: Guild, spec: ChannelSpec, position: int) -> Channel:
    """Raises ValueError for an unknown type or category."""
    if spec.type not in CHANNEL_KINDS:
        raise ValueError(
            f"{spec.name} cannot be a channel of type {spec.type}; known: {', '.join(CHANNEL_KINDS)}"
        )
    category = guild.channels.get(named_id("channel", guild.name, spec.category)) if spec.category else None
    if spec.category and (category is None or category.kind != CATEGORY):
        raise ValueError(f"there is no category {spec.category} before {spec.name}")
    kind = CHANNEL_KINDS[spec.type]
    return Channel(
        named_id("channel", guild.name, spec.name),
        guild,
        kind,
        spec.name,
        spec.topic or None,
        position=position,
        category_id=category.id if category is not None else None,
        forum=Forum() if kind == FORUM else None,
        voice=VoiceSettings(user_limit=spec.user_limit) if kind in VOICES else None,
    )


def new_person(name: str, display_name: str = "", accepts_messages: bool = True) -> User:
    return User(named_id("user", name), name, display_name or name, accepts_messages=accepts_messages)


def application(spec: ApplicationSpec, users: dict[str, User]) -> Application:
    """A bot in no server yet. Adds its user to `users`. Raises ValueError for an unknown intent."""
    app_id = named_id("application", spec.name)
    user = users[app_id] = User(app_id, spec.name, spec.display_name or spec.name, bot=True)
    privileged = 0
    for name in spec.privileged:
        if name not in PRIVILEGED:
            raise ValueError(f"{name} is not a privileged intent; known: {', '.join(PRIVILEGED)}")
        privileged |= PRIVILEGED[name]
    token = spec.token or default_token(app_id, spec.name)
    permissions = perms.bits(spec.permissions)
    return Application(
        app_id, spec.name, user.display_name, spec.description, token, user, {}, privileged, permissions
    )


def install(it: Application, guild: Guild, joined: float) -> Role:
    """Put a bot into a server, with a role of its own above all others."""
    it.guilds[guild.id] = guild
    role_id = named_id("role", guild.name, "bot", it.name)
    position = max(one.position for one in guild.roles.values()) + 1
    role = guild.roles[role_id] = Role(
        role_id, guild.id, it.display_name, it.permissions, 0, position, False, it.id
    )
    guild.members[it.id] = Member(it.user, guild, [role_id], joined)
    return role
