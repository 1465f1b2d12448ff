"""Buttons, selects and modals, as people use them."""

from typing import Any

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.forms import fill
from discord_sandbox.api.options import OptionReader
from discord_sandbox.api.schema.requests import PRESS
from discord_sandbox.api.text import SELECTS, walk
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import (
    COMPONENT,
    JSON,
    MODAL_SUBMIT,
    Application,
    Channel,
    Member,
    Message,
)


def _target(call: ApiCall, *, raw: bool) -> tuple[Message, Member, Application]:
    message = call.message(call.need("message"), also_deleted=raw)
    member = call.member(call.need("user"), message.channel.guild)
    if message.ephemeral_to not in (None, member.user.id):
        raise ApiError(404, "unknown_message", f"{member.user.name} cannot see this message.")
    if not call.core.state.permissions(member, message.channel) & perms.VIEW_CHANNEL:
        raise ApiError(403, "missing_permissions", f"{member.user.name} cannot see #{message.channel.name}.")
    owner = call.core.state.applications.get(message.application_id or message.author.id)
    if owner is None:
        raise ApiError(409, "gone", "No bot owns this message.")
    return message, member, owner


def _begin(call: ApiCall, message: Message, member: Member, owner: Application, data: JSON) -> JSON:
    begun = call.core.interactions.begin(
        COMPONENT, owner, member, message.channel, data, label=data["custom_id"], message=message
    )
    return {"interaction": begun.id}


async def presses(call: ApiCall) -> JSON:
    """POST presses: one press, or many at the same moment if the body lists them as `presses`."""
    together = call.body.get("presses")
    if together is None:
        return _press(call)
    for one in together:
        PRESS.check(one)
    return {"interactions": [_press(ApiCall(call.request, one))["interaction"] for one in together]}


def _press(call: ApiCall) -> JSON:
    raw = call.get("custom_id")
    message, member, owner = _target(call, raw=raw is not None)
    if raw is not None:
        number = next((o["id"] for o in walk(message.components) if o.get("custom_id") == raw), 1)
        data = {"custom_id": str(raw), "component_type": 2, "id": number}
        return _begin(call, message, member, owner, data)
    wanted = call.text("button")
    found = [one for one in walk(message.components) if one.get("type") == 2]
    hits = [one for one in found if one.get("custom_id") == wanted] or [
        one for one in found if wanted in (one.get("label"), (one.get("emoji") or {}).get("name"))
    ]
    if not hits:
        hits = [one for one in found if str(one.get("label", "")).lower() == wanted.lower()]
    if not hits:
        raise unknown("button", wanted, (str(one.get("label") or one.get("custom_id")) for one in found))
    usable = [one for one in hits if not one.get("disabled")]
    if not usable:
        raise ApiError(
            409,
            "disabled",
            f'The button "{wanted}" is disabled.',
            'Send its "custom_id" to press it anyway.',
        )
    button = usable[0]
    if button.get("custom_id") is None:
        raise ApiError(409, "not_pressable", f'The button "{wanted}" is a link.', str(button.get("url")))
    data = {"custom_id": button["custom_id"], "component_type": 2, "id": button["id"]}
    return _begin(call, message, member, owner, data)


async def selects(call: ApiCall) -> JSON:
    """POST selects: a person chooses values."""
    raw = call.get("custom_id")
    message, member, owner = _target(call, raw=raw is not None)
    given = call.need("values")
    values: list[Any] = given if isinstance(given, list) else [given]
    if raw is not None:
        data = {"custom_id": str(raw), "component_type": 3, "values": [str(one) for one in values], "id": 1}
        return _begin(call, message, member, owner, data)
    wanted = call.text("select")
    found = [one for one in walk(message.components) if one.get("type") in SELECTS]
    hit = next((one for one in found if wanted in (one["custom_id"], one.get("placeholder"))), None)
    if hit is None:
        raise unknown("select", wanted, (str(one.get("placeholder") or one["custom_id"]) for one in found))
    if hit.get("disabled"):
        raise ApiError(409, "disabled", f'The select "{wanted}" is disabled.')
    if not hit["min_values"] <= len(values) <= hit["max_values"]:
        raise ApiError(
            422,
            "value_count",
            f'"{wanted}" takes {hit["min_values"]} to {hit["max_values"]} values, not {len(values)}.',
        )
    data = {"custom_id": hit["custom_id"], "component_type": hit["type"], "id": hit["id"]}
    return _begin(call, message, member, owner, data | _chosen(call, message.channel, hit, values))


def _chosen(call: ApiCall, channel: Channel, select: JSON, values: list[Any]) -> JSON:
    kind = select["type"]
    if kind == 3:
        options = select.get("options", [])
        picked = []
        for value in values:
            hit = next((one for one in options if value in (one["value"], one["label"])), None)
            if hit is None:
                error = unknown("value", value, (one["label"] for one in options))
                raise ApiError(422, "value_unknown", error.message, error.hint)
            picked.append(hit["value"])
        return {"values": picked}
    reader = OptionReader(call, channel)
    types = {5: 6, 6: 8, 7: 9, 8: 7}
    definition = [{"name": str(index), "type": types[kind]} for index in range(len(values))]
    read = reader.read(definition, {str(index): value for index, value in enumerate(values)})
    return {"values": [one["value"] for one in read], "resolved": reader.resolved}


async def modals(call: ApiCall) -> JSON:
    """POST modals: a person submits the modal that an interaction opened."""
    source = call.interaction(call.need("interaction"))
    member = call.member(call.need("user"), source.channel.guild)
    if source.modal is None:
        raise ApiError(
            409, "no_modal", f"Interaction {source.id} has not opened a modal.", f"It is {source.state}."
        )
    if member.user.id != source.member.user.id:
        raise ApiError(403, "forbidden", f"The modal was opened for {source.member.user.name}.")
    fields = call.body.get("fields") or {}
    if not isinstance(fields, dict):
        raise invalid('"fields" must be an object of custom ids or labels and values.')
    reader = OptionReader(call, source.channel)
    data: JSON = {
        "custom_id": source.modal["custom_id"],
        "components": fill(source.modal, fields, reader),
    }
    if reader.resolved:
        data["resolved"] = reader.resolved
    begun = call.core.interactions.begin(
        MODAL_SUBMIT,
        source.application,
        member,
        source.channel,
        data,
        label=data["custom_id"],
        message=source.message,
        source=source,
    )
    return {"interaction": begun.id}
