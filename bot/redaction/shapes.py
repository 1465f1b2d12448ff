"""Secrets that are known by their shape, or by the name that stands before them.

Every pattern is linear in the text: none begins with a repetition, and what may repeat either ends where the next match
could begin, or has a bound.
"""

from __future__ import annotations

import functools
import re

HIDDEN = "***"

# A name in text, where it is only known by what stands around it.
SENSITIVE = (
    r"(?:(?:token|secret|password|passwd|passphrase|authorization|credential"
    r"|(?:api|private|access|secret|signing|encryption|master)[_-]?key(?:[_-]?(?:id|base))?|(?<=[_-])(?:pass|pwd))s?"
    r"|(?-i:(?<=[A-Z0-9]_)(?:KEY|PASS|PWD|PW|CREDS|AUTH|SALT|DSN|COOKIE)S?(?:_ID|_BASE)?|(?<=[a-z])Pass))"
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
    # Passwords in addresses: up to the last @ before the path; or, as programs write them without encoding, with
    # slashes. A port is not one.
    (
        re.compile(
            r"((?<=[A-Za-z0-9+.-])://[^\s:/@\"']{0,256}:)"
            r"(?:[^\s/\"']{1,256}(?=@)|(?!\d{1,5}(?:[/?#]|\Z))[^\s@\"'<>]{1,256}(?=@))"
        ),
        rf"\1{HIDDEN}",
    ),
    # A token as the user of an address.
    (re.compile(r"((?<=[A-Za-z0-9+.-])://)[A-Za-z0-9_-]{20,256}(?=@)"), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"(?i)(authorization\\?[\"']?\s*[:=]\s*\\?[\"']?)(?:(?:bot|bearer|basic) )?(?!\*)[^\s\"'\\,;]+"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(Bot|Bearer|Basic)\s+(?!token\b)(?=\S*\d)[A-Za-z0-9._~+/=-]{16,}"), rf"\1 {HIDDEN}"),
    # Options of command lines, but not where a usage names the value.
    (
        re.compile(
            r"(?i)(--(?:\w{1,30}-){0,3}(?:password|passwd|pass|token|secret|key) )"
            r"(?-i:(?![A-Z_]+\b))[^\s\"'\\<\[-]\S*"
        ),
        rf"\1{HIDDEN}",
    ),
)


def hidden_by_shape(text: str) -> str:
    """`text` without what looks like a secret, whatever it is."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    text = _assigned(text)
    if (end := _END_OF_KEY.search(text)) is not None:  # of a key that began before the text
        text = f"{text[: end.start()].rstrip(_IN_A_KEY)} {HIDDEN}{text[end.end() :]}"
    return text


def scanned(text: str) -> str:
    """`text` without what the detectors of `detect-secrets` know by its shape."""
    for pattern in _detectors():
        text = pattern.sub(HIDDEN, text)
    text = _OPENAI.sub(HIDDEN, text)
    return _RUN.sub(_without_jwt, text) if "eyJ" in text else text


# ---- what stands after a name --------------------------------------------------------------------------------------

_ASSIGNED = re.compile(
    rf"(?i)(?P<name>{SENSITIVE})(?:\\{{0,3}}[\"'])?"
    r"(?P<sep>\s{0,3}(?:=>|:=|[:=])(?P<after>[ \t]{0,3}))(?:[bfru]{1,2}(?=[\"'\\]))?(?P<open>\\{0,3}[\"'])?"
)
_ONE = re.compile(r"[^\s\"'\\,;&)}]+")
_WORD = re.compile(r"[^\s\"'\\,;)}\]]+")
_LINE = re.compile(r"[^\r\n\"'\\]{1,1000}")
_BEGINS_LINE = re.compile(r"(?:^|[\n\"']|\\n)[ \t]*(?:- |export |\{ ?)?[\w.-]{0,60}\Z")
_COUNT = re.compile(r"\d{1,7}")
_MIXED = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.~+/=!@#$%^&*-]{7,}")
_ANOTHER = re.compile(rf"(?i)_?{SENSITIVE}")
_LONG, _LONGEST = 16, 16_384
_VARIABLE = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
# What people write after a colon instead of a value.
_PROSE = frozenset(
    "a an and are authentication but cannot could denied does empty error expected expired failed false field found "
    "has hidden invalid is it may missing must no none not null ok only optional or please redacted refused rejected "
    "required revoked set should string the this true undefined unknown unset use using valid value was were wrong "
    "yes".split()
)
# A call or an item in a line of code, an attribute, the name of another secret.
_CODE = re.compile(r"(?:await )?[A-Za-z_][\w.]*[(\[].*|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


def _assigned(text: str) -> str:
    """Without the values of sensitive names: `DB_PASS: x`, `token=x`, `"secret": "x"`, `password = x`."""
    parts, at = [], 0
    for found in _ASSIGNED.finditer(text):
        if found.start() < at or text.startswith(("*", "${"), found.end()):
            continue  # of another value, hidden already, or a reference
        end = _quoted_end(text, found) if found["open"] else _unquoted_end(text, found)
        if end > found.end():
            parts += [text[at : found.end()], HIDDEN]
            at = end
    return "".join(parts) + text[at:]


def _quoted_end(text: str, found: re.Match[str]) -> int:
    """Where the quotes close, with as many backslashes as they opened; else the end of the line."""
    escapes, quote = found["open"][:-1], found["open"][-1]
    at, most = found.end(), min(len(text), found.end() + _LONGEST)
    line = text.find("\n", at, most)
    line = most if line < 0 else line
    while (close := text.find(escapes + quote, at, line)) >= 0:
        if text[close - 1] != "\\" or close == found.end():
            return close
        at = close + 1
    return line


def _unquoted_end(text: str, found: re.Match[str]) -> int:
    """Where the value ends that follows; the beginning of it, when it is more likely prose or code."""
    begin = found.end()
    if found["sep"] == "=":
        word = _ONE.match(text, begin)
        plural = found["name"][-1] in "sS" and word and _COUNT.fullmatch(word[0])  # max_tokens=500
        return word.end() if word and not plural else begin
    word = _WORD.match(text, begin)
    if word is None or word[0][0] in "{[(<" or word[0].strip(".:!?*").lower() in (*_PROSE, ""):
        return begin
    line = _LINE.match(text, begin)
    end_of_line = line.end() if line else word.end()
    alone = line is None or line[0].strip(" ,;)}]") == word[0]
    first = _BEGINS_LINE.search(text, max(0, found.start() - 70), found.start()) is not None
    if _CODE.fullmatch(word[0]) and not (first and found["name"].isupper() and ":" in found["sep"]):
        return begin
    if not found["name"].isupper():
        return word.end() if _is_value(found, word[0], by_itself=first and alone) else begin
    if first:
        return end_of_line
    listed = text[word.end() : word.end() + 1] in (",", ";", ")", "}")
    return word.end() if alone or listed or not (word[0].isalpha() or _VARIABLE.fullmatch(word[0])) else begin


def _is_value(found: re.Match[str], word: str, *, by_itself: bool) -> bool:
    """Whether a word after `password:` or `token = ` is one. by_itself: name and word are a line, as in YAML."""
    if not (found["after"] or "=" in found["sep"]) or _ANOTHER.fullmatch(word):
        return False  # a part of an image's or a scope's name; `self.secret = secret`
    name = found["name"].lower()
    says = "pass" in name or "secret" in name or len(word) >= _LONG
    return _MIXED.fullmatch(word) is not None or (by_itself and says)


# ---- what scanners know ----------------------------------------------------------------------------------------------

# Addresses are no secrets, and passwords in URLs are hidden above with the rest of the URL left readable. The patterns
# of the last three begin again at each place of a long word: theirs are written below and above.
_NOT_USED = frozenset(
    {"IPPublicDetector", "BasicAuthDetector", "JwtTokenDetector", "NpmDetector", "OpenAIDetector"}
)
_OPENAI = re.compile(r"\bsk-(?=[A-Za-z_-]{0,100}\d)[A-Za-z0-9_-]{20,256}")
_RUN = re.compile(r"[\w=.+/-]+")


def _without_jwt(found: re.Match[str]) -> str:
    """A run of characters from the first part on that begins as a header in JSON, and has another part behind it."""
    run: str = found[0]
    begin = run.find("eyJ")
    while begin >= 0:
        dot = run.find(".", begin)
        if dot < 0:
            return run
        # The header has no slash and no plus sign.
        begin = run.find("eyJ", max(begin, run.rfind("/", begin, dot), run.rfind("+", begin, dot)), dot)
        if 0 <= begin < dot - 3 and run[dot + 1 : dot + 2] not in ("", "."):
            return run[:begin] + HIDDEN
        begin = run.find("eyJ", dot)
    return run


@functools.cache
def _detectors() -> tuple[re.Pattern[str], ...]:
    import importlib
    import pkgutil

    from detect_secrets import plugins
    from detect_secrets.plugins.base import RegexBasedDetector

    for module in pkgutil.iter_modules(plugins.__path__):
        importlib.import_module(f"{plugins.__name__}.{module.name}")
    found = [kind for kind in RegexBasedDetector.__subclasses__() if kind.__name__ not in _NOT_USED]
    return tuple(pattern for kind in found for pattern in kind().denylist)
