"""Rich embeds: their limits, alone and together."""

from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.media import Media
from discord_sandbox.discord.state.model import JSON

TOGETHER = 6000
KEYS = frozenset(
    {
        "type",
        "title",
        "description",
        "url",
        "timestamp",
        "color",
        "footer",
        "image",
        "thumbnail",
        "video",
        "provider",
        "author",
        "fields",
        "flags",
    }
)


def read(body: Fields, media: Media) -> list[JSON] | None:
    """The embeds as Discord would answer them; None if the key is absent."""
    given = body.objects("embeds", 10)
    if given is None:
        return [] if "embeds" in body.body else None
    embeds = [_embed(one, media) for one in given]
    if sum(map(_size, embeds)) > TOGETHER:
        body.complain("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {TOGETHER}")
    return embeds


def _size(embed: JSON) -> int:
    size = len(embed.get("title", "")) + len(embed.get("description", ""))
    size += len(embed.get("footer", {}).get("text", "")) + len(embed.get("author", {}).get("name", ""))
    return size + sum(len(field["name"]) + len(field["value"]) for field in embed.get("fields", ()))


def _embed(body: Fields, media: Media) -> JSON:
    body.known(KEYS)
    embed: JSON = {"type": "rich"}
    found = {
        "title": body.text("title", 256),
        "description": body.text("description", 4096),
        "url": body.url("url"),
        "timestamp": body.time("timestamp"),
        "color": body.number("color", 0, 0xFFFFFF),
    }
    embed |= {key: value for key, value in found.items() if value is not None and value != ""}
    if (footer := body.object("footer")) is not None:
        footer.known(("text", "icon_url", "proxy_icon_url"))
        text = footer.text("text", 2048, required=True)
        embed["footer"] = {"text": text or ""} | _icon(footer, media)
    if (author := body.object("author")) is not None:
        author.known(("name", "url", "icon_url", "proxy_icon_url"))
        name = author.text("name", 256, required=True)
        embed["author"] = {"name": name or ""} | _icon(author, media)
        if (url := author.url("url")) is not None:
            embed["author"]["url"] = url
    _unused(body)
    for key in ("image", "thumbnail"):
        if (picture := body.object(key)) is not None:
            _measures(picture)
            url = picture.url("url", required=True, attachment=True)
            if url is not None:
                resolved = media.resolve(picture, url)
                embed[key] = {
                    k: resolved[k] for k in ("url", "proxy_url", "width", "height") if k in resolved
                }
    fields = body.objects("fields", 25)
    for field in fields or ():
        field.known(("name", "value", "inline"))
    if fields:
        embed["fields"] = [
            {
                "name": field.text("name", 256, required=True, strip=True) or "",
                "value": field.text("value", 1024, required=True, strip=True) or "",
                "inline": bool(field.flag("inline")),
            }
            for field in fields
        ]
    empty = len(embed) == 1 or (len(embed) == 2 and "color" in embed)
    if empty and not body.wrong():
        body.complain("description", "BASE_TYPE_REQUIRED", "This field is required")
    return embed


def _unused(body: Fields) -> None:
    """Check what Discord takes from those who copy embeds, and does not use."""
    if (video := body.object("video")) is not None:
        video.url("url")
        _measures(video)
    if (provider := body.object("provider")) is not None:
        provider.text("name", 256)
        provider.url("url")


def _measures(picture: Fields) -> None:
    for key in ("width", "height"):
        picture.number(key, -(2**31), 2**31 - 1)
    picture.number("placeholder_version", 0, 2**31 - 1)
    picture.text("placeholder", 64)
    picture.text("description", 4096)
    picture.flag("is_animated")


def _icon(body: Fields, media: Media) -> JSON:
    url = body.url("icon_url", attachment=True)
    if url is None:
        return {}
    resolved = media.resolve(body, url)
    return {"icon_url": resolved["url"], "proxy_icon_url": resolved["proxy_url"]}
