"""Announcements of each kind of change, to bots (gateway) and watchers (feed)."""

from collections.abc import Callable

from discord_sandbox.discord.actions.feed import Feed
from discord_sandbox.discord.actions.guild_news import GuildNews
from discord_sandbox.discord.gateway.hub import Gateway
from discord_sandbox.discord.gateway.sessions import GUILDS, MESSAGES, POLLS, REACTIONS, TYPING
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.emoji import reaction as render_emoji
from discord_sandbox.discord.render.messages import MessageRenderer
from discord_sandbox.discord.render.messages import interaction as render_interaction
from discord_sandbox.discord.state.model import (
    JSON,
    Application,
    Channel,
    Command,
    Guild,
    Interaction,
    Member,
    Message,
)
from discord_sandbox.discord.state.store import State


class Broadcast(GuildNews):
    def __init__(self, state: State, gateway: Gateway, feed: Feed, messages: MessageRenderer) -> None:
        super().__init__(state, gateway, feed)
        self._messages = messages
        self.deliver: Callable[[Interaction, JSON], None] = lambda interaction, body: None

    def _message_body(self, message: Message) -> JSON:
        guild = message.channel.guild
        body = self._messages(message) | message.channel.in_guild | {"channel_type": message.channel.kind}
        if message.channel.is_direct:
            return body
        author = guild.members.get(message.author.id)
        if author is not None:
            body["member"] = render.member_without_user(author)
        body["mentions"] = [
            user | {"member": render.member_without_user(guild.members[user["id"]])}
            if user["id"] in guild.members
            else user
            for user in body["mentions"]
        ]
        return body

    def message_created(self, message: Message) -> None:
        if message.ephemeral_to is None:
            body = self._message_body(message)
            if message.nonce is not None:
                body["nonce"] = message.nonce
            self._gateway.message("MESSAGE_CREATE", message, body)
        self.feed.publish("message_create", message)

    def message_updated(self, message: Message) -> None:
        message.rendered = None
        if message.ephemeral_to is None:
            self._gateway.message("MESSAGE_UPDATE", message, self._message_body(message))
        self.feed.publish("message_update", message)

    def message_deleted(self, message: Message) -> None:
        channel = message.channel
        if message.ephemeral_to is None:
            body = {"id": message.id, "channel_id": channel.id, **channel.in_guild}
            self._gateway.to_guild(channel.guild, "MESSAGE_DELETE", body, intent=MESSAGES, channel=channel)
        self.feed.publish("message_delete", message)

    def pins_changed(self, channel: Channel) -> None:
        """A message was pinned or unpinned; Discord does not tell of pinned messages that are deleted."""
        intent = MESSAGES if channel.is_direct else GUILDS
        body = {"channel_id": channel.id, **channel.in_guild, "last_pin_timestamp": render.last_pin(channel)}
        self._gateway.to_guild(channel.guild, "CHANNEL_PINS_UPDATE", body, intent=intent, channel=channel)

    def messages_deleted(self, channel: Channel, messages: list[Message]) -> None:
        body = {
            "ids": [message.id for message in messages],
            "channel_id": channel.id,
            "guild_id": channel.guild.id,
        }
        self._gateway.to_guild(channel.guild, "MESSAGE_DELETE_BULK", body, intent=MESSAGES, channel=channel)
        for message in messages:
            self.feed.publish("message_delete", message)

    def interaction_created(self, interaction: Interaction) -> None:
        body = render_interaction(self._state, self._messages, interaction)
        application = interaction.application
        if application.endpoint_url is not None:
            self.deliver(interaction, body)
        else:
            guild = interaction.channel.guild
            self._gateway.to_application(application, guild, "INTERACTION_CREATE", body)
        self.feed.publish("interaction_create", interaction)

    def interaction_updated(self, interaction: Interaction) -> None:
        self.feed.publish("interaction_update", interaction)

    def commands_changed(self, application: Application) -> None:
        self.feed.publish("commands_update", application)

    def command_permissions(self, application: Application, guild: Guild, command: Command) -> None:
        body = {
            "id": command.id,
            "application_id": application.id,
            "guild_id": guild.id,
            "permissions": command.permissions,
        }
        self._gateway.to_application(application, guild, "APPLICATION_COMMAND_PERMISSIONS_UPDATE", body)
        self.feed.publish("commands_update", application)

    def typing(self, channel: Channel, member: Member, now: float) -> None:
        body = {
            "channel_id": channel.id,
            **channel.in_guild,
            "user_id": member.user.id,
            "timestamp": int(now),
        }
        if not channel.is_direct:
            body["member"] = render.member(member)
        self._gateway.to_guild(channel.guild, "TYPING_START", body, intent=TYPING, channel=channel)
        self.feed.publish("typing", (channel, member))

    def direct_opened(self, channel: Channel) -> None:
        """For watchers alone: bots are not told of direct messages before the first message."""
        self.feed.publish("channel_create", channel)

    def reaction(self, message: Message, user_id: str, emoji: str, *, added: bool) -> None:
        message.rendered = None
        channel = message.channel
        body: JSON = {
            "user_id": user_id,
            "channel_id": channel.id,
            "message_id": message.id,
            **channel.in_guild,
            "emoji": render_emoji(self._state, emoji),
            "burst": False,
            "type": 0,
        }
        event = "MESSAGE_REACTION_ADD" if added else "MESSAGE_REACTION_REMOVE"
        if added:
            body["message_author_id"] = message.author.id
            member = channel.guild.members.get(user_id)
            if member is not None and not channel.is_direct:
                body["member"] = render.member(member)
        self._gateway.to_guild(channel.guild, event, body, intent=REACTIONS, channel=channel)
        self.feed.publish("message_update", message)

    def poll_voted(self, message: Message, user_id: str, answer_id: int, *, added: bool) -> None:
        message.rendered = None
        channel = message.channel
        body: JSON = {
            "user_id": user_id,
            "channel_id": channel.id,
            "message_id": message.id,
            **channel.in_guild,
            "answer_id": answer_id,
        }
        event = "MESSAGE_POLL_VOTE_ADD" if added else "MESSAGE_POLL_VOTE_REMOVE"
        self._gateway.to_guild(channel.guild, event, body, intent=POLLS, channel=channel)
        self.feed.publish("message_update", message)

    def reactions_cleared(self, message: Message, emoji: str | None) -> None:
        """Of one emoji, or of all."""
        message.rendered = None
        channel = message.channel
        body: JSON = {"channel_id": channel.id, "message_id": message.id, **channel.in_guild}
        event = "MESSAGE_REACTION_REMOVE_ALL"
        if emoji is not None:
            event = "MESSAGE_REACTION_REMOVE_EMOJI"
            body["emoji"] = render_emoji(self._state, emoji)
        self._gateway.to_guild(channel.guild, event, body, intent=REACTIONS, channel=channel)
        self.feed.publish("message_update", message)
