"""Hides secrets in text: those it is told, in every usual encoding, and what looks like one.

One redactor serves logs, what releases print, and everything that targets say. It works on finished text, so it
does not matter where a secret came from.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

HIDDEN = "***"
_SHORTEST = 4
_SHORT = 6  # below, a secret is only hidden where it stands by itself: "info" is not cut out of "information"
_LAYERS = 3  # encodings inside one another that are looked through

# Words of a name that say that its value is secret: STRIPE_KEY, dbPass, AWS_ACCESS_KEY_ID.
_NAMES = frozenset(
    "auth authorization bearer cookie credential credentials creds dsn jwt key keys pass passphrase passwd password "
    "passwords pepper private pw pwd salt secret secrets signature token tokens apikey accesskey secretkey".split()
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# The same in text, where a name is only known by what stands around it. No pattern begins with a repetition: a long
# word must not be read again from each of its letters.
_SENSITIVE = (
    r"(?:(?:token|secret|password|passwd|passphrase|authorization|credential"
    r"|(?:api|private|access|secret|signing|encryption|master)[_-]?key(?:[_-]?id)?|(?<=[_-])(?:pass|pwd))s?"
    r"|(?-i:(?<=[A-Z0-9]_)(?:KEY|PASS|PWD|PW|CREDS|AUTH|SALT|DSN|COOKIE)S?(?:_ID)?))"
)
_END_OF_KEY = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")
_IN_A_KEY = "".join(map(chr, (*range(48, 58), *range(65, 91), *range(97, 123)))) + "+/= \n\r\t|\\"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A private key, also when the text ends inside it.
    (
        re.compile(
            r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
        ),
        HIDDEN,
    ),
    # Discord bot tokens: id, time and signature in base64.
    (re.compile(r"\b[A-Za-z0-9_-]{18,40}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{24,}"), HIDDEN),
    # Interaction and webhook tokens in paths.
    (re.compile(r"(/(?:webhooks|interactions)/\d+/)[A-Za-z0-9_.~%-]{8,}"), rf"\1{HIDDEN}"),
    # Passwords in addresses.
    (re.compile(r"((?<=[a-z0-9+.-])://[^\s:/@\"']*:)[^\s@/\"']+(@)"), rf"\1{HIDDEN}\2"),
    (
        re.compile(
            r"(?i)(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)(?:(?:bot|bearer|basic) )?(?!\*)[^\s\"'\\,;]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(Bot|Bearer|Basic)\s+(?!token\b)(?=\S*\d)[A-Za-z0-9._~+/=-]{16,}"), rf"\1 {HIDDEN}"),
    # "key": "value" and 'key': 'value', also with the quotes escaped in a JSON line; key=value.
    (re.compile(rf"(?i)({_SENSITIVE}\\?[\"']?\s*[:=]\s*b?\\?[\"'])[^\"'\\]+"), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i)({_SENSITIVE}=\\?[\"']?)(?!\*)[^\s\"'\\,;&)}}]+"), rf"\1{HIDDEN}"),
    # key: value in prose, when the value does not look like a word.
    (
        re.compile(rf"(?i)({_SENSITIVE}: )(?=[\w.~+/=-]*\d)(?=[\w.~+/=-]*[a-z])[\w.~+/=-]{{12,}}"),
        rf"\1{HIDDEN}",
    ),
)


def is_sensitive(name: str) -> bool:
    """Whether a key or variable of this name holds a secret."""
    return not _NAMES.isdisjoint(word.lower() for word in _WORD.findall(name)) or (
        re.search(rf"(?i){_SENSITIVE}\Z", name) is not None
    )


class Redactor:
    """Hides the secrets that it was told, and what looks like a secret.

    scanning: also what the detectors of `detect-secrets` find: keys of Stripe, AWS, GitHub, Slack and many more. It
    is for text from outside, such as what releases print. The first such text loads them: a tenth of a second.
    """

    def __init__(self, known: Iterable[str] = (), *, scanning: bool = False) -> None:
        self._scanning = scanning
        self._known: list[_Known] = []
        self.hide(known)

    def hide(self, known: Iterable[str]) -> None:
        """Hide these from now on too. Values below four characters are too common to be hidden."""
        values = {known.value for known in self._known}
        values |= {part for value in known for part in _parts(value) if len(part) >= _SHORTEST}
        self._known = [_known(value) for value in sorted(values, key=len, reverse=True)]

    def __call__(self, text: str) -> str:
        """`text` without secrets."""
        if self._known and not {"%", "\\", "&"}.isdisjoint(text):
            text = self._hidden_in_layers(text)
        for known in self._known:
            text = known.hidden_in(text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        if (end := _END_OF_KEY.search(text)) is not None:  # of a key that began before the text
            text = f"{text[: end.start()].rstrip(_IN_A_KEY)} {HIDDEN}{text[end.end() :]}"
        if self._scanning:
            for pattern in _detectors():
                text = pattern.sub(HIDDEN, text)
        return text

    def _hidden_in_layers(self, text: str) -> str:
        """Without those secrets that only show once an encoding, or several, are taken off."""
        layers = list(_peeled(text))
        for known in self._known:
            if any(known.value in bare for bare in layers):
                text = known.in_any_mixture.sub(HIDDEN, text)
        return text


class _Known:
    """One secret with the forms in which it may stand in a text."""

    def __init__(self, value: str) -> None:
        self.value = value
        self._alone: re.Pattern[str] | None = None
        if len(value) < _SHORT:
            self._alone = re.compile(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])")
        self._forms = _longest(_forms(value))
        self._in_base64 = _longest(_base64_forms(value))

    def hidden_in(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = self._alone.sub(HIDDEN, text) if self._alone else text.replace(form, HIDDEN)
        for form in self._in_base64:
            if form in text:  # with the characters beside it, which hold bits of it
                text = re.sub(rf"[\w+/-]?{re.escape(form)}[\w+/-]?={{0,2}}", HIDDEN, text)
        return text

    @functools.cached_property
    def in_any_mixture(self) -> re.Pattern[str]:
        """Each character by itself, or as any encoding writes it, escaped as often as you like."""
        return re.compile("".join(map(_spellings, self.value)))


def _longest(forms: Iterable[str]) -> list[str]:
    """Each once, the longest first."""
    return sorted({form for form in forms if len(form) >= _SHORTEST}, key=len, reverse=True)


# The same secrets are told again at every crash and every reload.
_known = functools.lru_cache(maxsize=512)(_Known)


def _parts(value: str) -> Iterator[str]:
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
    once = {quote(value, safe=""), quote(value), quote_plus(value)}
    twice = {quote(each, safe="") for each in once}
    yield from (form for each in once | twice for form in (each, _lower_hex(each)))
    data = value.encode(errors="replace")
    yield from (data.hex(), data.hex().upper())
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    yield from in_json | {json.dumps(each)[1:-1] for each in in_json}
    yield from (repr(value)[1:-1], repr(value.encode(errors="replace"))[2:-1], html.escape(value))


def _base64_forms(value: str) -> Iterator[str]:
    """The characters that it gives wherever it stands in something encoded: at each of three offsets."""
    if len(value) < _SHORT:
        return
    for data in (value.encode(errors="replace"), quote(value, safe="").encode()):
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + data).decode()
            form = encoded[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]
            yield from (form, form.translate(_URLSAFE))


_URLSAFE = str.maketrans("+/", "-_")


def _lower_hex(quoted: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


def _peeled(text: str) -> Iterator[str]:
    """The text with encodings taken off, one after the other."""
    seen, layer = {text}, {text}
    for _ in range(_LAYERS):
        layer = {bare for each in layer for bare in _bare(each)} - seen
        seen |= layer
        yield from layer


def _bare(text: str) -> Iterator[str]:
    if "%" in text:
        yield unquote(text)
        yield unquote_plus(text)
    if "\\" in text:
        bare = _ESCAPED.sub(_unescaped, text)
        yield bare.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")  # pairs become one
    if "&" in text:
        yield html.unescape(text)


_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.S)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t"}


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else _LETTERS.get(found[3], found[3])


def _spellings(char: str) -> str:
    """A pattern for one character of a secret: plain, in percent or as an entity, each perhaps escaped, or by code."""
    code, percent, amp = ord(char), "%(?:25){0,4}", "&(?:amp;){0,4}"
    escape = rf"(?:\\|{percent}5[cC])"
    octets = "".join(f"{percent}{octet:02x}" for octet in char.encode(errors="replace"))
    plain = [re.escape(char), octets, rf"{amp}#0{{0,4}}{code};", rf"{amp}#x0{{0,4}}{code:x};"]
    plain += [named.replace("&", amp, 1)] if (named := html.escape(char)) != char else []
    plain += [r"\+"] if char == " " else []
    units = char.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(f"{escape}{{1,8}}u{units[i : i + 4]}" for i in range(0, len(units), 4))
    coded = [f"{escape}{{1,8}}U{code:08x}", f"{escape}{{1,8}}x{code:02x}"]
    coded += [f"{escape}{{1,8}}{letter}" for letter, meant in _LETTERS.items() if meant == char]
    in_bytes = "".join(f"{escape}{{1,8}}x{octet:02x}" for octet in char.encode(errors="replace"))
    # Letters keep their case; only the digits of codes do not.
    exact, *others = plain
    return (
        f"(?:{escape}{{0,8}}(?:{exact}|(?i:{'|'.join(others)}))|(?i:{'|'.join([escaped, in_bytes, *coded])}))"
    )


@functools.cache
def _detectors() -> tuple[re.Pattern[str], ...]:
    """The patterns of detect-secrets that know a secret by its shape."""
    import importlib
    import pkgutil

    from detect_secrets import plugins
    from detect_secrets.plugins.base import RegexBasedDetector

    for module in pkgutil.iter_modules(plugins.__path__):
        importlib.import_module(f"{plugins.__name__}.{module.name}")
    # Addresses are no secrets, and passwords in URLs are hidden above with the rest of the URL left readable.
    others = {"IPPublicDetector", "BasicAuthDetector"}
    found = [kind for kind in RegexBasedDetector.__subclasses__() if kind.__name__ not in others]
    return tuple(pattern for kind in found for pattern in kind().denylist)
