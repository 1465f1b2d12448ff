"""Responses to interactions: the first by callback type, then follow-ups through the webhook."""

from collections.abc import Callable

from discord_sandbox.discord.actions.interactions import Interactions
from discord_sandbox.discord.actions.posts import Origin
from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.errors import DiscordError, invalid
from discord_sandbox.discord.render.messages import MessageRenderer
from discord_sandbox.discord.rules import messages as rules
from discord_sandbox.discord.rules import modals
from discord_sandbox.discord.state.model import (
    AUTOCOMPLETE,
    CHAT_INPUT,
    COMMAND,
    CONTEXT_MENU,
    EPHEMERAL,
    JSON,
    LOADING,
    MODAL_SUBMIT,
    REPLY,
    SLASH_COMMAND,
    Interaction,
    Message,
)

MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL, LAUNCH = 4, 5, 6, 7, 8, 9, 12
CALLBACKS = frozenset({1, MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL, LAUNCH})


class Responses:
    def __init__(self, interactions: Interactions, render: MessageRenderer) -> None:
        self._interactions = interactions
        self._posts = interactions.posts
        self._render = render
        self._by_type: dict[int, Callable[[Interaction, Upload], Message | None]] = {
            MESSAGE: self._message,
            DEFER: self._defer,
            DEFER_UPDATE: self._defer_update,
            UPDATE: self._update,
            CHOICES: self._choices,
            MODAL: self._modal,
            LAUNCH: self._launch,
        }

    def first(self, interaction: Interaction, upload: Upload) -> JSON:
        """Give the first response; returns the body for `with_response=true`."""
        upload.fields().known(("type", "data"))
        kind = upload.body.get("type")
        if type(kind) is not int or kind not in CALLBACKS:
            listed = ", ".join(map(str, sorted(CALLBACKS)))
            raise invalid(("type",), "BASE_TYPE_CHOICES", f"Value must be one of {{{listed}}}.")
        self._check_kind(interaction, kind)
        data = upload.body.get("data")
        if data is not None and not isinstance(data, dict):
            raise invalid(("data",), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        if data is None and kind in (MESSAGE, CHOICES, MODAL):
            raise invalid(("data",), "BASE_TYPE_REQUIRED", "This field is required")
        message = self._by_type[kind](interaction, upload.part(data or {}))
        states = {DEFER: "deferred", DEFER_UPDATE: "deferred", MODAL: "modal"}
        self._interactions.acknowledge(interaction, kind, states.get(kind, "answered"))
        return self._response(interaction, kind, message)

    def _check_kind(self, interaction: Interaction, kind: int) -> None:
        on_message = interaction.kind not in (COMMAND, AUTOCOMPLETE) and interaction.message is not None
        refused = (
            kind == 1
            or (kind in (DEFER_UPDATE, UPDATE) and not on_message)
            or (kind == CHOICES) != (interaction.kind == AUTOCOMPLETE)
            or (kind == MODAL and interaction.kind == MODAL_SUBMIT)
        )
        if refused:
            raise invalid(
                ("type",), "INTERACTION_CALLBACK_INVALID", "This callback type does not fit this interaction."
            )

    def _response(self, interaction: Interaction, kind: int, message: Message | None) -> JSON:
        about: JSON = {
            "id": interaction.id,
            "type": interaction.kind,
            "channel_id": interaction.channel.id,
            **interaction.channel.in_guild,
        }
        body: JSON = {"interaction": about}
        if message is not None:
            about["response_message_id"] = message.id
            about["response_message_loading"] = bool(message.flags & LOADING)
            about["response_message_ephemeral"] = message.ephemeral_to is not None
            if kind in (MESSAGE, UPDATE):
                body["resource"] = {"type": kind, "message": self._render(message)}
        elif kind == LAUNCH:
            body["resource"] = {"type": kind, "activity_instance": {"id": f"i-{interaction.id}"}}
        return body

    def _origin(self, interaction: Interaction, *, ephemeral: bool, followup: bool = False) -> Origin:
        target = interaction.original if followup else interaction.message
        reference: JSON | None = None
        kind = REPLY
        if interaction.kind == COMMAND and not followup:
            kind = CHAT_INPUT if interaction.command_type == SLASH_COMMAND else CONTEXT_MENU
        if kind == REPLY and target is not None:
            reference = {
                "type": 0,
                "channel_id": target.channel.id,
                "message_id": target.id,
                **target.channel.in_guild,
            }
        application = interaction.application
        return Origin(
            application.user,
            interaction.channel.guild.members.get(application.id),
            interaction,
            interaction.member.user.id if ephemeral else None,
            kind,
            reference,
        )

    def _message(self, interaction: Interaction, upload: Upload) -> Message:
        ephemeral = _wants_ephemeral(upload.body)
        message = self._posts.create(
            interaction.channel,
            self._origin(interaction, ephemeral=ephemeral),
            upload,
            keys=rules.WEBHOOK,
            flags_allowed=rules.INTERACTION_FLAGS,
            path=("data",),
        )
        interaction.original, interaction.ephemeral = message, ephemeral
        return message

    def _defer(self, interaction: Interaction, upload: Upload) -> Message:
        flags = upload.fields("data").number("flags", 0, 2**31 - 1) or 0
        if flags & ~EPHEMERAL:
            upload.complaints.ignore(("data", "flags"), "MESSAGE_FLAGS_INVALID", rules.NOT_HERE)
        upload.complaints.check()
        ephemeral = bool(flags & EPHEMERAL)
        state = self._interactions.state
        origin = self._origin(interaction, ephemeral=ephemeral)
        message = Message(
            state.new_id(),
            interaction.channel,
            origin.author,
            origin.kind,
            self._interactions.clock.now(),
            flags=LOADING | flags & EPHEMERAL,
            application_id=interaction.application.id,
            webhook_id=interaction.application.id,
            interaction=interaction,
            ephemeral_to=origin.ephemeral_to,
            reference=origin.reference,
        )
        state.add_message(message)
        interaction.original, interaction.ephemeral = message, ephemeral
        self._interactions.broadcast.message_created(message)
        return message

    def _defer_update(self, interaction: Interaction, upload: Upload) -> Message | None:
        interaction.original = interaction.message
        interaction.ephemeral = _is_ephemeral(interaction.message)
        return interaction.message

    def _update(self, interaction: Interaction, upload: Upload) -> Message:
        message = interaction.message
        if message is None or message.deleted:
            raise DiscordError(10008)
        self._posts.edit(message, upload, keys=rules.WEBHOOK, path=("data",))
        interaction.original = message
        interaction.ephemeral = _is_ephemeral(message)
        return message

    def _choices(self, interaction: Interaction, upload: Upload) -> None:
        found = []
        data = upload.fields("data")
        data.known(("choices",))
        for one in data.objects("choices", 25, required=True) or []:
            one.known(("name", "name_localizations", "value"))
            name = one.text("name", 100, shortest=1, required=True)
            value = one.body.get("value")
            if value is None or isinstance(value, (dict, list, bool)):
                one.complain("value", "BASE_TYPE_REQUIRED", "This field is required")
            elif isinstance(value, str):
                one.text("value", 100, shortest=1, required=True)
            found.append({"name": name, "value": value})
        upload.complaints.check()
        interaction.choices = found

    def _modal(self, interaction: Interaction, upload: Upload) -> None:
        known = self._posts.palette(interaction.channel, interaction.application.id)
        modal = modals.read(upload.fields("data"), known)
        upload.complaints.check()
        interaction.modal = modal

    def _launch(self, interaction: Interaction, upload: Upload) -> None:
        return None

    def original(self, interaction: Interaction) -> Message:
        """The first response's message. Raises 10015 before there is one, 10008 once it is deleted."""
        if interaction.callback is None:
            raise DiscordError(10015)
        if interaction.original is None or interaction.original.deleted:
            raise DiscordError(10008)
        return interaction.original

    def find(self, interaction: Interaction, message_id: str) -> Message:
        """A message of this interaction: the original or a follow-up. Raises 10008."""
        if message_id == "@original":
            return self.original(interaction)
        for message in (interaction.original, *interaction.followups):
            if message is not None and message.id == message_id and not message.deleted:
                return message
        raise DiscordError(10008)

    def edit(self, interaction: Interaction, message: Message, upload: Upload) -> Message:
        was_loading = bool(message.flags & LOADING)
        self._posts.edit(message, upload, keys=rules.WEBHOOK, mark=not was_loading)
        self._interactions.followed(interaction)
        return message

    def follow(self, interaction: Interaction, upload: Upload) -> Message:
        """Post a follow-up; the first after a deferral replaces the loading message."""
        if interaction.callback is None:
            raise DiscordError(10015)
        original = interaction.original
        if interaction.callback == DEFER and original is not None and original.flags & LOADING:
            flags = upload.body.get("flags")
            masked = {"flags": flags & rules.EDIT_FLAGS} if isinstance(flags, int) else {}
            return self.edit(interaction, original, upload.part(upload.body | masked))
        ephemeral = _wants_ephemeral(upload.body)
        message = self._posts.create(
            interaction.channel,
            self._origin(interaction, ephemeral=ephemeral, followup=True),
            upload,
            keys=rules.WEBHOOK,
            flags_allowed=rules.INTERACTION_FLAGS,
        )
        interaction.followups.append(message)
        self._interactions.followed(interaction)
        return message

    def delete(self, interaction: Interaction, message: Message) -> None:
        self._posts.delete(message)
        self._interactions.followed(interaction)


def _wants_ephemeral(body: JSON) -> bool:
    flags = body.get("flags")
    return isinstance(flags, int) and bool(flags & EPHEMERAL)


def _is_ephemeral(message: Message | None) -> bool:
    return message is not None and message.ephemeral_to is not None
