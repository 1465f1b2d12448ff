"""What a sandbox starts with: servers, people, roles, channels and bots, as frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

EVERYONE = (
    "VIEW_CHANNEL",
    "SEND_MESSAGES",
    "SEND_MESSAGES_IN_THREADS",
    "CREATE_PUBLIC_THREADS",
    "EMBED_LINKS",
    "ATTACH_FILES",
    "SEND_POLLS",
    "READ_MESSAGE_HISTORY",
    "ADD_REACTIONS",
    "USE_APPLICATION_COMMANDS",
    "CHANGE_NICKNAME",
    "CONNECT",
    "SPEAK",
    "USE_VAD",
    "REQUEST_TO_SPEAK",
)
BOT = (
    "VIEW_CHANNEL",
    "SEND_MESSAGES",
    "SEND_MESSAGES_IN_THREADS",
    "CREATE_PUBLIC_THREADS",
    "MANAGE_THREADS",
    "EMBED_LINKS",
    "ATTACH_FILES",
    "READ_MESSAGE_HISTORY",
)


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """`permissions` are names such as MANAGE_GUILD; `color` is 0xRRGGBB, 0 for none."""

    name: str
    permissions: tuple[str, ...] = ()
    color: int = 0
    mentionable: bool = True


@dataclass(frozen=True, slots=True)
class PersonSpec:
    """A user, and the names of the roles they hold in the guild that lists them.

    accepts_messages: whether bots may send them direct messages.
    """

    name: str
    display_name: str = ""
    roles: tuple[str, ...] = ()
    accepts_messages: bool = True


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """`type` is text, announcement, forum, voice, stage or category; `category` names one that is listed before.

    user_limit: how many can be in a voice or stage channel, 0 for any number.
    """

    name: str
    topic: str = ""
    type: str = "text"
    category: str = ""
    user_limit: int = 0


ROLES = (
    RoleSpec("member", color=0x3498DB),
    RoleSpec("moderator", ("MANAGE_GUILD",), 0x9B59B6),
    RoleSpec("helper", color=0xE67E22),
    RoleSpec("admin", ("ADMINISTRATOR",), 0xE74C3C, mentionable=False),
)
PEOPLE = (
    PersonSpec("ada", "Ada", ("member",)),
    PersonSpec("ben", "Ben", ("member",)),
    PersonSpec("mia", "Mia", ("moderator",)),
    PersonSpec("max", "Max", ("moderator",)),
    PersonSpec("kim", "Kim", ("helper",)),
    PersonSpec("guest", "Guest"),
)
CHANNELS = (
    ChannelSpec("general", "Anything and everything"),
    ChannelSpec("news", "What everyone should know"),
    ChannelSpec("support", "Ask here"),
)


@dataclass(frozen=True, slots=True)
class GuildSpec:
    """A server. `everyone` names the permissions of the role @everyone.

    `owner` names the person who may do everything there: one of `people`, or one more without roles.
    """

    name: str
    people: tuple[PersonSpec, ...] = PEOPLE
    roles: tuple[RoleSpec, ...] = ROLES
    channels: tuple[ChannelSpec, ...] = CHANNELS
    everyone: tuple[str, ...] = EVERYONE
    owner: str = "owner"


@dataclass(frozen=True, slots=True)
class ApplicationSpec:
    """A bot. `guilds` empty: in every guild. `privileged`: the privileged intents granted to it."""

    name: str
    display_name: str = ""
    description: str = ""
    token: str = ""
    guilds: tuple[str, ...] = ()
    permissions: tuple[str, ...] = BOT
    privileged: tuple[str, ...] = ("GUILD_MEMBERS", "MESSAGE_CONTENT", "GUILD_PRESENCES")


@dataclass(frozen=True, slots=True)
class World:
    """Everything a sandbox starts with. Without `rate_limits`, headers are sent but no call is refused.

    `strict`: what Discord ignores in a body, such as undocumented keys, is refused.
    """

    guilds: tuple[GuildSpec, ...] = (GuildSpec("workshop"),)
    applications: tuple[ApplicationSpec, ...] = (
        ApplicationSpec("robot", "Robot", "The bot under development"),
        ApplicationSpec("echo", "Echo", "A second bot"),
    )
    rate_limits: bool = True
    heartbeat_interval_ms: int = 41_250
    identifies_per_day: int = 1000
    command_creates_per_day: int = 200
    strict: bool = False


def read_world(given: Mapping[str, Any]) -> World:
    """Read a world from a JSON object; whatever it omits, in a guild too, keeps its default.

    `{"guilds": [{"name": "club", "channels": [{"name": "lobby"}]}], "heartbeat_interval_ms": 500}`.
    Raises ValueError for an unknown key, a missing name or a role that a person's guild lacks.
    """
    found = _read(World, given, "the world")
    if "guilds" in found:
        found["guilds"] = tuple(_guild(one) for one in found["guilds"])
    if "applications" in found:
        found["applications"] = tuple(_build(ApplicationSpec, one) for one in found["applications"])
    world = World(**found)
    for guild in world.guilds:
        roles = {role.name for role in guild.roles}
        for person in guild.people:
            if unknown := set(person.roles) - roles:
                raise ValueError(
                    f"{guild.name} has no role {', '.join(sorted(unknown))}, which {person.name} holds"
                )
    return world


def _guild(given: Mapping[str, Any]) -> GuildSpec:
    found = _read(GuildSpec, given, "a guild")
    kinds: dict[str, type[Any]] = {"people": PersonSpec, "roles": RoleSpec, "channels": ChannelSpec}
    for key, kind in kinds.items():
        if key in found:
            found[key] = tuple(_build(kind, one) for one in found[key])
    return GuildSpec(**found)


Spec = TypeVar("Spec")


def _build(kind: type[Spec], given: Mapping[str, Any]) -> Spec:
    return kind(**_read(kind, given, f"one of the {kind.__name__.removesuffix('Spec').lower()}s"))


def _read(kind: Any, given: Any, what: str) -> dict[str, Any]:
    """The object's values by key, lists as tuples."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} is an object, not {given!r}")
    known = {one.name for one in fields(kind)}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"{what} has no {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    if "name" in known and not isinstance(given.get("name"), str):
        raise ValueError(f"{what} has no name")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
