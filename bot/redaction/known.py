"""Known secrets, in every form in which programs write them."""

from __future__ import annotations

import base64
import functools
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

from bot.redaction.shapes import HIDDEN

SHORTEST = 4
_SHORT = 6  # below, a secret is only hidden where it stands by itself: "info" is not cut out of "information"
_ANY_CASE = 8  # from here on, it is hidden in any case
_LAYERS = 3  # encodings inside one another that are looked through
HEAD = 4  # characters of each form by which it is looked for


class KnownSecret:
    """One secret with the forms in which it may stand in a text. `heads`: how they begin, without regard to case."""

    def __init__(self, value: str) -> None:
        self.value = value
        self._alone: re.Pattern[str] | None = None
        if len(value) < _SHORT:
            self._alone = re.compile(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])")
        self._forms = _longest(_forms(value))
        self._coded = _coded(value) if len(value) >= _SHORT else {}
        forms = [*self._forms, *self._coded]
        self.heads = frozenset(form.casefold()[:HEAD] for form in forms)

    def hidden_in(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = self._alone.sub(HIDDEN, text) if self._alone else text.replace(form, HIDDEN)
        if len(self.value) >= _ANY_CASE and self.value.casefold() in text.casefold():
            text = re.sub(re.escape(self.value), HIDDEN, text, flags=re.IGNORECASE)
        for form, (before, after) in self._coded.items():
            if form in text:
                text = re.sub(f"{before}{re.escape(form)}{after}", HIDDEN, text)
        return text

    @functools.cached_property
    def in_any_mixture(self) -> re.Pattern[str]:
        """Each character by itself, or as any encoding writes it, escaped as often as you like."""
        return re.compile("".join(map(_spellings, self.value)))


def _longest(forms: Iterable[str]) -> list[str]:
    """Each once, the longest first."""
    return sorted({form for form in forms if len(form) >= SHORTEST}, key=len, reverse=True)


# The same secrets are told again at every crash and every reload.
known = functools.lru_cache(maxsize=512)(KnownSecret)


def parts(value: str) -> Iterator[str]:
    """A secret, and what of it would give it away: the password of an address, the lines of a key."""
    yield value
    if value.count("\n"):
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= 8)
    if "://" in value:
        try:
            password = urlsplit(value).password
        except ValueError:
            return
        if password:
            yield from (password, unquote(password))


def _forms(value: str) -> Iterator[str]:
    """The value as programs write it out."""
    yield value
    if len(value) < _SHORT:
        return  # an encoding of something so short is found by chance
    if len(value) >= _ANY_CASE:
        yield from (value.upper(), value.lower())
    once = {quote(value, safe=""), quote(value), quote_plus(value)}
    twice = {quote(each, safe="") for each in once}
    yield from (form for each in once | twice for form in (each, _lower_hex(each)))
    data = value.encode(errors="replace")
    for hexadecimal in (data.hex(), *map(data.hex, (":", " ", "-"))):
        yield from (hexadecimal, hexadecimal.upper())
    yield from (between.join(map(str, data)) for between in (",", ", "))
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    yield from in_json | {json.dumps(each)[1:-1] for each in in_json}
    yield from (repr(value)[1:-1], repr(value.encode(errors="replace"))[2:-1], html.escape(value))


def _coded(value: str) -> dict[str, tuple[str, str]]:
    """What a secret of some length gives wherever it stands in something encoded, the longest first.

    Each with patterns for the characters before and after it, which may hold bits of the same secret.
    """
    forms: dict[str, tuple[str, str]] = {}
    data = value.encode(errors="replace")
    in_64, in_32 = r"[\w+/-]?", r"[A-Za-z2-7]?"
    for form in _base64_forms(value, data):
        for each in (form, form.translate(_URLSAFE)):
            forms[each] = (in_64, in_64 + "={0,2}")
    for form in _shifted(base64.b32encode, data, 5):
        for each in (form, form.lower()):
            forms[each] = (in_32, in_32 + "={0,6}")
    for encode, part in ((base64.b85encode, r"[!#-&(-+\--9;-Z^-~]{0,5}"), (base64.a85encode, "[!-u]{0,5}")):
        for before in range(4):  # four bytes give five characters, and only together
            whole = data[-before % 4 :]
            form = encode(whole[: len(whole) // 4 * 4]).decode()
            if len(form) > HEAD:
                forms[form] = (part if before else "", part if len(whole) % 4 else "")
    return dict(sorted(forms.items(), key=lambda each: len(each[0]), reverse=True))


def _base64_forms(value: str, data: bytes) -> list[str]:
    once = [
        form
        for each in (data, quote(value, safe="").encode(), _utf16(value))
        for form in _shifted(base64.b64encode, each, 6)
    ]
    twice = [form for each in once[:3] for form in _shifted(base64.b64encode, each.encode(), 6)]
    return [*once, *twice, base64.b64encode(base64.b64encode(data)).decode().rstrip("=")]


def _shifted(encode: Callable[[bytes], bytes], data: bytes, bits: int) -> list[str]:
    """Encoded with so many bits to a character behind 0, 1, 2, … other bytes, without what those bytes take part in."""
    shifts = range({6: 3, 5: 5}[bits])
    return [
        encode(b"\0" * shift + data).decode()[-(-shift * 8 // bits) : (shift + len(data)) * 8 // bits]
        for shift in shifts
    ]


def _utf16(value: str) -> bytes:
    """As PowerShell encodes it."""
    return value.encode("utf-16-le", errors="replace")


_URLSAFE = str.maketrans("+/", "-_")


def _lower_hex(quoted: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def peeled(text: str) -> Iterator[str]:
    """The text with encodings taken off, one after the other."""
    seen, layer = {text}, {text}
    for _ in range(_LAYERS):
        layer = {bare for each in layer for bare in _bare(each)} - seen
        seen |= layer
        yield from layer


def encoded_somehow(text: str) -> bool:
    """Whether there is something to peel off."""
    return not {"%", "\\", "&"}.isdisjoint(text) or _QUOTED.search(text) is not None


def _bare(text: str) -> Iterator[str]:
    if "=" in text and _QUOTED.search(text):
        yield _QUOTED.sub(_unquoted, text)
    if "%" in text:
        yield unquote(text)
        yield unquote_plus(text)
    if "\\" in text:
        bare = _ESCAPED.sub(_unescaped, text)
        yield bare.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")  # pairs become one
        yield bare.encode("latin-1", "replace").decode("utf-8", "replace")  # bytes become characters
    if "&" in text:
        yield html.unescape(text)


_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|(.))", re.S)
# Quoted-printable, with its soft ends of lines.
_QUOTED = re.compile(r"(?:=[0-9A-F]{2}|=\r?\n)+")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


def _unescaped(found: re.Match[str]) -> str:
    if found[3]:
        return chr(int(found[3], 8))
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else _LETTERS.get(found[4], found[4])


def _unquoted(found: re.Match[str]) -> str:
    return bytes.fromhex("".join(found[0].replace("=", "").split())).decode(errors="replace")


def _spellings(char: str) -> str:
    """A pattern for one character of a secret: plain, in percent or as an entity, each perhaps escaped, or by code."""
    code, percent, amp = ord(char), "%(?:25){0,4}", "&(?:amp;){0,4}"
    escape = rf"(?:\\|{percent}5[cC])"
    octets = "".join(f"{percent}{octet:02x}" for octet in char.encode(errors="replace"))
    plain = [re.escape(char), octets, rf"{amp}#0{{0,4}}{code};", rf"{amp}#x0{{0,4}}{code:x};"]
    plain += [named.replace("&", amp, 1)] if (named := html.escape(char)) != char else []
    plain += [r"\+"] if char == " " else []
    octal = "".join(f"{escape}{{1,8}}{octet:03o}" for octet in char.encode(errors="replace"))
    printable = r"(?:=\r?\n)?".join(f"={octet:02x}" for octet in char.encode(errors="replace"))
    units = char.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(f"{escape}{{1,8}}u{units[i : i + 4]}" for i in range(0, len(units), 4))
    coded = [f"{escape}{{1,8}}U{code:08x}", f"{escape}{{1,8}}x{code:02x}"]
    coded += [f"{escape}{{1,8}}{letter}" for letter, meant in _LETTERS.items() if meant == char]
    in_bytes = "".join(f"{escape}{{1,8}}x{octet:02x}" for octet in char.encode(errors="replace"))
    # Letters keep their case; only the digits of codes do not.
    exact, *others = plain
    by_code = "|".join([escaped, in_bytes, octal, printable, *coded])
    return f"(?:=\\r?\\n)?(?:(?i:{by_code})|{escape}{{0,8}}(?:(?i:{'|'.join(others)})|{exact}))"
