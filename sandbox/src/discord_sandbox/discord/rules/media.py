"""Unfurled media: what Discord answers for the addresses in embeds and components."""

from collections.abc import Iterable

from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.attachment import Attachment
from discord_sandbox.discord.state.model import JSON


class Media:
    """Resolves addresses, including `attachment://name` for the message's attachments."""

    def __init__(self, attachments: Iterable[Attachment], cdn: str) -> None:
        self._by_name = {one.filename: one for one in attachments}
        self._cdn = cdn
        self._count = 0

    def resolve(self, body: Fields, url: str) -> JSON:
        """An unfurled media item; complains if the message has no such attachment."""
        self._count += 1
        if not url.startswith("attachment://"):
            return {"id": str(self._count), "url": url, "proxy_url": url}
        found = self._by_name.get(url.removeprefix("attachment://"))
        if found is None:
            body.complain(
                "url", "UNKNOWN_ATTACHMENT", f'Attachment "{url}" is not among the message\'s attachments.'
            )
            return {"id": str(self._count), "url": url, "proxy_url": url}
        address = f"{self._cdn}/{found.path}"
        item: JSON = {
            "id": str(self._count),
            "url": address,
            "proxy_url": address,
            "content_type": found.content_type,
            "attachment_id": found.id,
        }
        if found.width is not None:
            item |= {"width": found.width, "height": found.height}
        return item

    def size(self, url: str) -> tuple[str, int] | None:
        found = self._by_name.get(url.removeprefix("attachment://"))
        return (found.filename, len(found.content)) if found is not None else None
