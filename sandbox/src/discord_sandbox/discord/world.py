"""What is there at the start: guilds, people, roles, channels and applications, as frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EVERYONE = (
    "VIEW_CHANNEL",
    "SEND_MESSAGES",
    "SEND_MESSAGES_IN_THREADS",
    "CREATE_PUBLIC_THREADS",
    "READ_MESSAGE_HISTORY",
    "ADD_REACTIONS",
    "USE_APPLICATION_COMMANDS",
    "CHANGE_NICKNAME",
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
class Role:
    name: str
    permissions: tuple[str, ...] = ()
    color: int = 0
    mentionable: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """A user and the roles, by name, that they hold in the guild that lists them."""

    name: str
    display_name: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Channel:
    name: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Guild:
    name: str
    people: tuple[Person, ...]
    roles: tuple[Role, ...] = ()
    channels: tuple[Channel, ...] = ()
    everyone: tuple[str, ...] = EVERYONE


@dataclass(frozen=True, slots=True)
class Application:
    """A bot. `guilds` empty means: in all of them. `privileged` are the privileged intents it was granted."""

    name: str
    display_name: str = ""
    description: str = ""
    token: str = ""
    guilds: tuple[str, ...] = ()
    permissions: tuple[str, ...] = BOT
    privileged: tuple[str, ...] = ("GUILD_MEMBERS", "MESSAGE_CONTENT", "GUILD_PRESENCES")


ROLES = (
    Role("deployer", color=0x3498DB),
    Role("release-manager", ("MANAGE_GUILD",), 0x9B59B6),
    Role("oncall", color=0xE67E22),
    Role("admin", ("ADMINISTRATOR",), 0xE74C3C, mentionable=False),
)
PEOPLE = (
    Person("dev", "Dev", ("deployer",)),
    Person("dev2", "Dev Two", ("deployer",)),
    Person("lead", "Lead", ("release-manager",)),
    Person("lead2", "Lead Two", ("release-manager",)),
    Person("oncall", "On-call", ("oncall",)),
    Person("guest", "Guest"),
)
CHANNELS = (
    Channel("deploys", "Every rollout, live"),
    Channel("alerts", "What somebody must see"),
    Channel("incidents", "Trouble, with an owner and an end"),
)


@dataclass(frozen=True, slots=True)
class World:
    """The start. `rate_limits` off leaves the headers but refuses nobody (for load tests)."""

    guilds: tuple[Guild, ...] = (Guild("harbor", PEOPLE, ROLES, CHANNELS),)
    applications: tuple[Application, ...] = (
        Application("slipway", "Slipway", "Deploys from a channel"),
        Application("greeter", "Greeter", "A small second bot"),
    )
    rate_limits: bool = True
    heartbeat_interval_ms: int = 41_250
    identifies_per_day: int = 1000
    command_creates_per_day: int = 200


def world_of(given: Mapping[str, Any]) -> World:
    """The world that a JSON object describes. What it does not say, also of a guild, is as in `World()`.

    `{"guilds": [{"name": "harbor"}, {"name": "quay", "channels": [{"name": "pier"}]}], "heartbeat_interval_ms": 500}`.
    Raises TypeError for names that are not known.
    """
    said = dict(given)
    if "guilds" in said:
        said["guilds"] = tuple(_guild(one) for one in said["guilds"])
    if "applications" in said:
        said["applications"] = tuple(Application(**_tuples(one)) for one in said["applications"])
    return World(**said)


def _guild(given: Mapping[str, Any]) -> Guild:
    kinds = {"people": (Person, PEOPLE), "roles": (Role, ROLES), "channels": (Channel, CHANNELS)}
    said = _tuples(given)
    for key, (kind, usual) in kinds.items():
        said[key] = tuple(kind(**_tuples(one)) for one in said[key]) if key in said else usual
    return Guild(**said)


def _tuples(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
