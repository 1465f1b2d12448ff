"""Application commands: upsert by name with stable ids, and a daily budget of creates."""

from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import Complaints, DiscordError, invalid
from discord_sandbox.discord.rules import commands as rules
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.model import JSON, Application, Command
from discord_sandbox.discord.state.store import State

DAY = 86_400.0


class CommandRegistry:
    def __init__(self, state: State, clock: Clock, broadcast: Broadcast) -> None:
        self._state = state
        self._clock = clock
        self._broadcast = broadcast

    def of(self, application: Application, guild_id: str | None) -> list[Command]:
        return [one for one in application.commands.values() if one.guild_id == guild_id]

    def get(self, application: Application, guild_id: str | None, command_id: str) -> Command:
        """Raises 10063."""
        found = application.commands.get(command_id)
        if found is None or found.guild_id != guild_id:
            raise DiscordError(10063)
        return found

    def _read(self, body: Fields, kind: int | None = None) -> JSON:
        found = rules.read(body, kind)
        body.complaints.check()
        return found

    def _spend(self, application: Application, guild_id: str | None, number: int) -> None:
        """Count new names against the scope's daily budget. Raises 30034."""
        if number == 0:
            return
        now = self._clock.now()
        most = self._state.world.command_creates_per_day
        recent = [one for one in application.creates.get(guild_id, []) if now - one < DAY]
        if len(recent) + number > most:
            raise DiscordError(
                30034, f"Max number of daily application command creates has been reached ({most})"
            )
        application.creates[guild_id] = recent + [now] * number

    def _put(
        self, application: Application, guild_id: str | None, body: JSON, old: Command | None
    ) -> Command:
        command_id = old.id if old is not None else self._state.new_id()
        full: JSON = {"id": command_id, "application_id": application.id, "version": "0"} | body
        if guild_id is not None:
            full["guild_id"] = guild_id
            del full["dm_permission"]
            full["contexts"] = None
        same = old is not None and {**old.body, "version": "0"} == full
        full["version"] = old.body["version"] if same and old is not None else self._state.new_id()
        command = old or Command(command_id, body["name"], body["type"], guild_id, full)
        if old is not None:
            application.by_name.pop((guild_id, old.kind, old.name), None)
        command.name, command.kind, command.body = body["name"], body["type"], full
        application.commands[command_id] = command
        application.by_name[guild_id, command.kind, command.name] = command
        return command

    def _count(self, application: Application, guild_id: str | None, kind: int) -> int:
        return sum(one.kind == kind for one in self.of(application, guild_id))

    def create(self, application: Application, guild_id: str | None, body: Fields) -> tuple[Command, bool]:
        """Create or overwrite by name; True if it is new."""
        read = self._read(body)
        old = application.by_name.get((guild_id, read["type"], read["name"]))
        if old is None:
            if self._count(application, guild_id, read["type"]) >= rules.MOST[read["type"]]:
                most = rules.MOST[read["type"]]
                raise DiscordError(30032, f"Maximum number of application commands reached ({most}).")
            self._spend(application, guild_id, 1)
        command = self._put(application, guild_id, read, old)
        self._broadcast.commands_changed(application)
        return command, old is None

    def patch(self, application: Application, command: Command, body: Fields) -> Command:
        merged = {key: value for key, value in command.body.items() if value is not None} | body.body
        read = self._read(Fields(merged, body.complaints), command.kind)
        other = application.by_name.get((command.guild_id, command.kind, read["name"]))
        if other is not None and other is not command:
            raise invalid(
                ("name",), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"
            )
        self._put(application, command.guild_id, read, command)
        self._broadcast.commands_changed(application)
        return command

    def overwrite(
        self, application: Application, guild_id: str | None, bodies: list[JSON], complaints: Complaints
    ) -> list[Command]:
        """Replace all commands of a scope; those that keep their name keep their id."""
        if len(bodies) > rules.IN_ALL:
            raise invalid((), "BASE_TYPE_MAX_LENGTH", f"Must be {rules.IN_ALL} or fewer in length.")
        read = [rules.read(Fields(one, complaints, (index,))) for index, one in enumerate(bodies)]
        seen: set[tuple[int, str]] = set()
        counts: dict[int, int] = {}
        for index, one in enumerate(read):
            key = (one["type"], one["name"])
            if one["name"] and key in seen:
                complaints.add(
                    (index, "name"),
                    "APPLICATION_COMMANDS_DUPLICATE_NAME",
                    "Application command names must be unique",
                )
            seen.add(key)
            counts[one["type"]] = counts.get(one["type"], 0) + 1
        complaints.check()
        for kind, number in counts.items():
            if number > rules.MOST[kind]:
                raise DiscordError(
                    30032, f"Maximum number of application commands reached ({rules.MOST[kind]})."
                )
        new = [one for one in read if (guild_id, one["type"], one["name"]) not in application.by_name]
        self._spend(application, guild_id, len(new))
        for command in self.of(application, guild_id):
            if (command.kind, command.name) not in seen:
                self._drop(application, command)
        made = [
            self._put(
                application, guild_id, one, application.by_name.get((guild_id, one["type"], one["name"]))
            )
            for one in read
        ]
        self._broadcast.commands_changed(application)
        return made

    def _drop(self, application: Application, command: Command) -> None:
        application.commands.pop(command.id, None)
        application.by_name.pop((command.guild_id, command.kind, command.name), None)

    def delete(self, application: Application, command: Command) -> None:
        self._drop(application, command)
        self._broadcast.commands_changed(application)
