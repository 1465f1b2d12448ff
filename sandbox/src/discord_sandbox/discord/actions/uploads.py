"""A decoded body with its files, and the attachments that it lists."""

from dataclasses import dataclass, field, replace

from discord_sandbox.discord.errors import Complaints, invalid
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.attachment import Attachment
from discord_sandbox.discord.state.model import JSON, Channel
from discord_sandbox.discord.state.store import State


@dataclass(slots=True)
class Upload:
    """A decoded body and its files, by number; `items` if the body is a list. `complaints` are the call's."""

    body: JSON
    files: dict[str, Attachment] = field(default_factory=dict)
    items: list[JSON] | None = None
    complaints: Complaints = field(default_factory=Complaints)

    def fields(self, *path: str | int) -> Fields:
        """The body, to be read key by key."""
        return Fields(self.body, self.complaints, path)

    def part(self, body: JSON) -> "Upload":
        """The same call with a part of its body, or another reading of it."""
        return replace(self, body=body)


def listed(upload: Upload, channel: Channel, kept: list[Attachment], state: State) -> list[Attachment]:
    """The attachments that a body lists; all new files if it lists none."""
    described = upload.body.get("attachments")
    if described is None:
        found = [*kept, *upload.files.values()]
    else:
        found = []
        by_id = {one.id: one for one in kept}
        for index, one in enumerate(described if isinstance(described, list) else []):
            number = str(one.get("id")) if isinstance(one, dict) else ""
            attachment = by_id.get(number) or upload.files.get(number)
            if attachment is None:
                raise invalid(
                    ("attachments", index, "id"),
                    "ATTACHMENT_NOT_FOUND",
                    f"Attachment {number} not found.",
                )
            if one.get("filename") and attachment.id == "":
                attachment.filename = str(one["filename"])
            if isinstance(one.get("description"), str):
                attachment.description = one["description"][:1024]
            found.append(attachment)
        listed = set(map(id, found))
        found += [one for one in upload.files.values() if id(one) not in listed]
    if len(found) > 10:
        raise invalid(("attachments",), "BASE_TYPE_MAX_LENGTH", "Must be 10 or fewer in length.")
    for attachment in found:
        if attachment.id == "":
            attachment.id = state.new_id()
            attachment.path = f"attachments/{channel.id}/{attachment.id}/{attachment.filename}"
    return found
