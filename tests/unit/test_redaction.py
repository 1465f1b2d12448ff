"""Secrets are hidden in every usual encoding, known ones and such as look like one, and nothing else is."""

from __future__ import annotations

import base64
import html
import json
import quopri
import subprocess
import sys
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.redaction import Redactor, is_sensitive

TOKEN = "MTQ1OTc0NzgzMTMxNTg5MTM5NQ.GhXyZa.abcdefghijklmnopqrstuvwxyz0123456789AB"

ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda value: quote(value, safe=""),
    "percent, slashes kept": quote,
    "percent, lower case": lambda value: quote(value, safe="").lower() if value.islower() else quote(value),
    "percent, every byte": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "form": quote_plus,
    "percent twice": lambda value: quote(quote(value, safe=""), safe=""),
    "form in percent": lambda value: quote(quote_plus(value), safe=""),
    "percent three times": lambda value: quote(quote(quote(value, safe=""), safe=""), safe=""),
    "JSON": json.dumps,
    "JSON in UTF-8": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"key": value})),
    "JSON in percent": lambda value: quote(json.dumps(value)),
    "percent in JSON": lambda value: json.dumps(quote(value)),
    "slashes escaped": lambda value: json.dumps(value).replace("/", "\\/"),
    "Python": repr,
    "bytes of Python": lambda value: repr(value.encode()),
    "HTML": html.escape,
    "HTML by numbers": lambda value: "".join(f"&#{ord(char)};" for char in value),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "basic auth": lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
    "basic auth, longer": lambda value: base64.b64encode(f"anyone:{value}:x".encode()).decode(),
    "base64 in UTF-16": lambda value: base64.b64encode(f"pw={value}".encode("utf-16-le")).decode(),
    "base64 twice": lambda value: base64.b64encode(base64.b64encode(value.encode())).decode(),
    "base32": lambda value: base64.b32encode(value.encode()).decode(),
    "base32, lower case": lambda value: base64.b32encode(value.encode()).decode().lower(),
    "base85": lambda value: base64.b85encode(value.encode()).decode(),
    "Ascii85": lambda value: base64.a85encode(value.encode()).decode(),
    "hex with colons": lambda value: value.encode().hex(":"),
    "HEX with spaces": lambda value: value.encode().hex(" ").upper(),
    "bytes as numbers": lambda value: json.dumps(list(value.encode())),
    "octal": lambda value: "".join(f"\\{byte:03o}" for byte in value.encode()),
    "quoted-printable": lambda value: quopri.encodestring(value.encode(), quotetabs=True).decode(),
    "quoted-printable, every byte": lambda value: "".join(f"={byte:02X}" for byte in value.encode()),
    "base64 of percent": lambda value: base64.b64encode(quote(value, safe="").encode()).decode(),
}
SECRETS = (
    "hunter2hunter2",
    "p@ss w0rd&more/+=",
    'quo"te\\back',
    "schlüssel-ß-密码",
    "-----x\nline two of it",
)


def hidden(encode: Callable[[str], str], secret: str) -> bool:
    """Whether nothing but what the encoding puts around every value is left of an encoded secret."""
    encoded, redacted = encode(secret), Redactor([secret])(encode(secret))
    other = encode(chr(ord(secret[0]) + 1) + secret[1:-1] + chr(ord(secret[-1]) + 1))
    before, after = common(encoded, other), common(encoded[::-1], other[::-1])
    first, stars, last = redacted.partition("***")
    return bool(stars) and len(first) <= before and len(last) <= after


def common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), 0)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_known_secret_is_hidden_in_every_encoding(encoding: str, secret: str) -> None:
    assert hidden(ENCODINGS[encoding], secret)


secrets = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=6, max_size=40)


@settings(deadline=None)
@given(secrets, st.sampled_from(sorted(ENCODINGS)))
def test_no_secret_survives_whatever_it_is_made_of(secret: str, encoding: str) -> None:
    encoded = ENCODINGS[encoding](secret)
    assert encoded not in Redactor([secret])(f"[{encoded}]")


def test_the_password_of_an_address_and_the_lines_of_a_key_are_secrets_too() -> None:
    redact = Redactor(["postgres://shop:p%40ssw0rd@db/shop", "first line of it\nsecond line of it"])
    assert redact("authentication failed for p@ssw0rd") == "authentication failed for ***"
    assert redact("bad line: second line of it") == "bad line: ***"


@pytest.mark.parametrize("before", range(5))
@pytest.mark.parametrize(
    "encode",
    [base64.b64encode, base64.urlsafe_b64encode, base64.b32encode, base64.b85encode, base64.a85encode],
)
def test_a_secret_is_hidden_wherever_it_stands_in_something_encoded(
    encode: Callable[[bytes], bytes], before: int
) -> None:
    secret = "Zp7mK2vL9qW4xT8nB3cD"
    whole = encode(b"user:"[:before] + secret.encode() + b"@host and more").decode()
    other = encode(b"user:"[:before] + secret.swapcase().encode() + b"@host and more").decode()
    redacted = Redactor([secret])(f"[{whole}]")
    first, stars, last = redacted[1:-1].partition("***")
    assert stars and len(first) <= common(whole, other) and len(last) <= common(whole[::-1], other[::-1])


@pytest.mark.parametrize("case", [str.upper, str.lower, str.title, str.swapcase])
def test_a_secret_is_hidden_in_any_case(case: Callable[[str], str]) -> None:
    assert Redactor(["Hunter2-is-Secret"])(f"unknown host {case('Hunter2-is-Secret')}") == "unknown host ***"


def test_a_short_secret_is_hidden_where_it_stands_by_itself() -> None:
    redact = Redactor(["root", "", "no"])
    assert redact("no login as root: rooted, 'root'") == "no login as ***: rooted, '***'"


def test_what_is_told_later_is_hidden_from_then_on() -> None:
    redact = Redactor(["first-secret"])
    redact.hide(["second-secret"])
    assert redact("first-secret second-secret") == "*** ***"


@pytest.mark.parametrize(
    "name",
    "STRIPE_KEY DB_PASS SIGNING_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY PGPASSWORD_ADMIN_PW dbPassword api-key "
    "GITHUB_TOKEN SESSION_SALT SENTRY_DSN PRIVATE_KEY_PEM SMTP_AUTH keys client_secret secrets".split(),
)
def test_names_say_what_is_secret(name: str) -> None:
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name", "KEYBOARD MONKEY COMPASS environment PATH author tokenizer weight promote_role".split()
)
def test_other_names_do_not(name: str) -> None:
    assert not is_sensitive(name)


SHAPES = {
    "Stripe": "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "AWS": "AKIA" + "QYLPMN5HHHFPZAM2",
    "GitHub": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "GitLab": "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
    "Slack": "xoxb-" + "123456789012-1234567890123-abcdefghijklmnopqrstuvwx",
    "SendGrid": "SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr",
    "JWT": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9",
    "npm": "//registry.npmjs.org/:_authToken=" + "npm_a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8",
    "key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "key cut at its end": "-----BEGIN PRIVATE KEY-----\nMIIEow",
    "key cut at its beginning": "MIIEowIBAAKCAQEA\nabcdefgh\n-----END PRIVATE KEY-----",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_scanner_knows_by_its_shape_is_hidden_in_text_from_outside(shape: str) -> None:
    redacted = Redactor(scanning=True)(f"refused: {SHAPES[shape]}; trying again")
    for part in SHAPES[shape].split("\n"):
        assert part not in redacted
    assert redacted.startswith("refused:")


ADVERSE = (
    *(
        "a",
        "a-",
        "\\",
        "%25",
        "token",
        "token: ",
        "://",
        "://a:",
        "a://b:",
        "https://a:b@",
        "//",
        "eyJ",
        "eyJa.",
        "sk-",
        "DB_PASS: ",
        "password: ",
        'token="',
        'token=\\"',
        "=41",
        "\\101",
        "&amp;",
        "A_KEY",
        "-----BEGIN ",
        "Bot 1",
        " ",
        "0",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "aws",
        "/webhooks/1",
        "s3cr3t%26p",
        "A" * 30 + ".",
    ),
)


@pytest.mark.parametrize("piece", ADVERSE)
def test_the_work_grows_with_the_text_and_no_faster(piece: str) -> None:
    """Eight times the text: 8 times the work, where a pattern that starts again at each place takes 64 times."""
    redact = Redactor(["s3cr3t&p@ss/+", "another secret"], scanning=True)
    redact("the first text loads the scanner")

    def seconds(size: int) -> float:
        text = (piece * size)[:size]
        began = time.process_time()
        redact(text)
        return time.process_time() - began

    short, long = (min(seconds(size) for _ in range(3)) for size in (8_192, 65_536))
    assert long < 24 * short + 0.05


def test_the_scanner_is_only_loaded_when_there_is_something_to_scan() -> None:
    code = (
        "import sys; from bot.redaction import Redactor; Redactor(scanning=True); Redactor(['abcdefg'])('abcdefg');"
        "assert 'detect_secrets' not in sys.modules; Redactor(scanning=True)('x');"
        "assert 'detect_secrets' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"token {TOKEN} refused", TOKEN),
        ("POST /webhooks/1459747831315891395/aW50ZXJhY3Rpb246MTIz.x_y-z/messages/@original", "aW50ZXJhY3Rpb246MTIz"),
        ("/interactions/123/aW50ZXJhY3Rpb246MTIz/callback", "aW50ZXJhY3Rpb246MTIz"),
        ("postgresql://slipway:hunter2@db:5432/x", "hunter2"),
        ("redis://:hunter2@redis:6379", "hunter2"),
        ("Authorization: Bot hunter2", "hunter2"),
        ("{'Authorization': 'Bearer hunter2.x'}", "hunter2"),
        ('{"authorization":"hunter2"}', "hunter2"),
        ("curl -H 'X: Bearer hunter2hunter2hunter2'", "hunter2hunter2hunter2"),
        ('{"token": "hunter2"}', "hunter2"),
        ('{"event": "{\\"admin_token\\": \\"hunter2\\"}"}', "hunter2"),
        ("HERALD_TOKEN: 'hunter2 with blanks'", "hunter2"),
        ("password=hunter2&user=x", "hunter2"),
        ("api_key='hunter2'", "hunter2"),
        ("secret: hunter2hunter2hunter2", "hunter2hunter2hunter2"),
        ("postgres://shop:p@ss:hunter2@db/shop", "hunter2"),
        ("postgres://shop:a/hunter2@db/shop", "hunter2"),
        ("https://3f7a9c1b5d8e2f4a6c0b@sentry.example/17", "3f7a9c1b5d8e2f4a6c0b"),
        ("DB_PASS: hunter", "hunter"),
        ("DB_PASS: two words", "words"),
        ("  - DB_PASS: x y z", "y"),
        ("starting with DB_PASS: h, 3 workers", " h"),
        ("STRIPE_KEY=hunter", "hunter"),
        ("SIGNING_KEY = hunter", "hunter"),
        ('export SIGNING_KEY="two words"', "words"),
        ("AWS_ACCESS_KEY_ID: hunter", "hunter"),
        ("'DB_PASS' => 'hunter'", "hunter"),
        ('{"event": "DB_PASS: hunter"}', "hunter"),
        ("db_pass: hunter", "hunter"),
        ("dbPass=hunter", "hunter"),
        ("password: hunter2", "hunter2"),
        ("secret_key_base: hunter2", "hunter2"),
        ('MY_PASSWORD="with \\"quotes\\" hunter"', "hunter"),
        ('token="back\\\\slash hunter"', "hunter"),
        ("psql --password hunter", "hunter"),
        ("curl --api-key hunter", "hunter"),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_hidden(text: str, hidden: str) -> None:
    assert hidden not in Redactor()(text)


@pytest.mark.parametrize(
    "text",
    [
        "✗ token: SLIPWAY_DISCORD_TOKEN is not set",
        "✓ token: belongs to slipway",
        "SLIPWAY_WEB_ADMIN_TOKEN is not set: admin calls are off",
        "https://discord.com/api/v10/channels/1459747831315891395/messages",
        "sha256:0c38cebd28dcd1290cdf7a3c90c9afdd2f36b7000d2a1b7e4c3c2c1b0a9f8e7d",
        "checkout/production 1.5.1 -> 1.4.0 (10.0.0.1:8401)",
        '{"rollout": 17, "seal": "9f31c07"}',
        "http://localhost:8080/users/@me",
        "connecting to redis://redis:6379/0 as worker@host",
        "password: authentication failed for user shop",
        "DB_PASS: field required",
        "STRIPE_KEY: not set",
        "no value for TOKEN: see the documentation",
        "usage: tool --password PASSWORD --token <token>",
        "    self._secret = settings.secret.reveal()",
        "    token = get_token(timeout=5)",
        "    token = self.token",
        "password: ${DB_PASS}",
        "max_tokens=500",
        "tokens: 128000",
        "secret: enabled and used by 3 lanes",
        "image registry.example/secret:v2.1.0-rc1",
        "cache key: user:17, primary_key=id, sort_key: at",
        "compass: north, monkey: 3, passed: 17, bypass: off",
        "key=value pairs: a=41, b=2C, c=3",
        r"path C:\new\table\101 and \033[31mred\033[0m",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor()(text) == text


def test_short_words_are_not_taken_for_secrets() -> None:
    assert Redactor(["dev", ""])("dev deploys") == "dev deploys"
