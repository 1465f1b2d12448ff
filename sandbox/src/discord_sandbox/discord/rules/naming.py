"""Names, descriptions and their localizations, of commands, options and choices alike."""

import re
import unicodedata

from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.model import JSON

LOCALES = frozenset(
    "ar bg cs da de el en-GB en-US es-419 es-ES fi fr he hi hr hu id it ja ko lt nl no pl pt-BR ro ru "
    "sv-SE th tr uk vi zh-CN zh-TW".split()
)
INVALID = ("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
_SCRIPTS = re.compile("[ऀ-ॿ꣠-ꣿ฀-๿]")


def valid_name(name: str) -> bool:
    """Discord's pattern: letters, numbers, `-`, `_`, `'`, Devanagari and Thai; lower case where it exists."""
    if not 1 <= len(name) <= 32 or name != name.lower():
        return False
    return all(
        char in "-_'" or unicodedata.category(char)[0] in "LN" or _SCRIPTS.match(char) for char in name
    )


def text(body: Fields, key: str, longest: int, *, required: bool = False) -> str | None:
    """A command's text. Numbers are errors here; elsewhere Discord converts them."""
    value = body.body.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        body.complain(key, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
        return None
    return body.text(key, longest, shortest=int(required), required=required)


def name(body: Fields, *, plain: bool) -> str:
    """A name. `plain`: of a slash command or option; context menu names can have any form."""
    found = text(body, "name", 32, required=True)
    if found is not None and plain and not valid_name(found):
        body.complain("name", *INVALID)
    return found or ""


def localized(body: Fields, key: str, longest: int, *, plain: bool = False) -> JSON | None:
    """Localizations: the same limits for each language, and only Discord's languages."""
    given = body.object(key)
    if given is None:
        return None
    for locale in given.body:
        if locale not in LOCALES:
            listed = ", ".join(repr(one) for one in sorted(LOCALES))
            given.complain(locale, "BASE_TYPE_CHOICES", f"Value must be one of ({listed}).")
            continue
        found = text(given, locale, longest, required=True)
        if found is not None and plain and not valid_name(found):
            given.complain(locale, *INVALID)
    return dict(given.body)


def size(part: JSON) -> int:
    """The characters that count toward a command's 8000; of a localized text, the longest version."""
    total = sum(
        max(
            len(str(one)) for one in (part.get(key) or "", *(part.get(f"{key}_localizations") or {}).values())
        )
        for key in ("name", "description")
    )
    if "value" in part:
        total += len(str(part["value"]))
    return total + sum(size(one) for key in ("options", "choices") for one in part.get(key, ()))
