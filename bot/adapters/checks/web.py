"""Requests of checks: bounded, with redirects under control, and with sentences for what goes wrong."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urljoin, urlsplit, urlunsplit

import aiohttp
from pydantic import Field

from bot.adapters.checks.kind import CheckFailed, CheckSubject, failed_to_connect
from bot.domain.formatting import counted
from bot.kinds import CheckSettings, SettingsProblem
from bot.values import HttpUrl, Names, RelativePath, SecretText, UrlPath, shaped

MOST_REDIRECTS = 5
LARGEST = 1024 * 1024  # bytes
_MOVED = frozenset({301, 302, 303, 307, 308})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_TOKEN = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"  # noqa: S105 (a name in HTTP)

# What the client's other errors mean.
_PHRASES: Mapping[type[BaseException], str] = {
    aiohttp.ClientConnectorSSLError: "TLS could not be set up",
    aiohttp.ServerDisconnectedError: "the connection was closed without an answer",
    aiohttp.ClientPayloadError: "the answer broke off",
    aiohttp.ClientResponseError: "the answer is not HTTP",
}

HeaderName = Annotated[str, *shaped(_TOKEN, "the name of a header")]
HeaderText = Annotated[str, *shaped(r"^[^\r\n]*$(?![\r\n])", "one line of text")]


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back, at most `LARGEST` bytes of it. whole: whether that was all."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


class WebCheckSettings(CheckSettings):
    """Where a check over HTTP asks, and as whom. Either `url` or `path`."""

    url: HttpUrl | None = Field(default=None, description="A whole address, such as the one users have.")
    path: UrlPath | None = Field(default=None, description="Path where the lane answers, such as /healthz.")
    headers: dict[HeaderName, HeaderText] = Field(default={}, description="Headers to send.")
    bearer: SecretText | None = Field(default=None, description="Token to send: ${NAME}.")
    ca: RelativePath | None = Field(
        default=None, description="File with the authorities to trust instead of the system's."
    )

    @property
    def address(self) -> str:
        return shown(self.url) if self.url else str(self.path)

    @property
    def asks_lane(self) -> bool:
        return self.url is None

    def problems(self) -> Iterator[SettingsProblem]:
        yield from super().problems()
        if (self.url is None) == (self.path is None):
            yield SettingsProblem((), "needs either url or path.")
        parts = urlsplit(self.url or "")
        if parts.username or parts.password:
            yield SettingsProblem(
                ("url",), "must not have a name and a password in it.", "Use bearer or headers."
            )
        if self.bearer and parts.scheme in ("http", "ws") and parts.hostname not in _LOCAL:
            yield SettingsProblem(
                ("bearer",), "would be sent without encryption.", "Use an address with TLS."
            )

    def whole_url(self, subject: CheckSubject) -> str:
        """The address to ask. A candidate is asked where it answers, with the path that the check has."""
        own = urlsplit(self.url or self.path or "/")
        if self.url and not subject.candidate:
            return self.url
        if subject.address is None:
            raise CheckFailed(f"{subject.lane} has no address that it could be asked at.")
        base = urlsplit(subject.address)
        return urlunsplit((base.scheme, base.netloc, own.path or "/", own.query, ""))

    def sent_headers(self) -> dict[str, str]:
        # Bodies are not decompressed: see `check_session`.
        sent = {"User-Agent": "Slipway", "Accept-Encoding": "identity", **self.headers}
        return sent | ({"Authorization": f"Bearer {self.bearer.reveal()}"} if self.bearer else {})

    def tls(self) -> ssl.SSLContext | bool:
        return trusting(self.ca) if self.ca else True


class RedirectSettings(WebCheckSettings):
    """A request that may be redirected."""

    redirects: int = Field(
        default=0, ge=0, le=MOST_REDIRECTS, description="How many redirects to follow; none by default."
    )
    hosts: Names = Field(
        default=(), description="Hosts that redirects may lead to, beside that of the address."
    )


def trusting(ca: Path) -> ssl.SSLContext:
    """Verification with these authorities alone. Raises `CheckFailed`."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise CheckFailed(f"The authorities in {ca.name} cannot be read.") from None


async def fetch(
    session: aiohttp.ClientSession,
    settings: RedirectSettings,
    url: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    largest: int = LARGEST,
) -> WebAnswer:
    """The answer, after the redirects that the settings allow; without its body where `largest` is zero.

    Raises `CheckFailed` with a sentence.
    """
    headers, at, tls = settings.sent_headers(), url, settings.tls()
    for _ in range(settings.redirects + 1):
        asked = f"{method} {shown(at)}"
        try:
            async with session.request(
                method, at, headers=headers, data=body, allow_redirects=False, ssl=tls
            ) as answer:
                if answer.status not in _MOVED or "Location" not in answer.headers or not settings.redirects:
                    content, whole = await _bounded(answer, largest)
                    return WebAnswer(answer.status, answer.headers, content, whole)
                where = urljoin(at, answer.headers["Location"])
                _allowed(asked, at, where, settings.hosts)
                if urlsplit(where).hostname != urlsplit(at).hostname:
                    headers = _without_credentials(headers, settings.headers)
                if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):
                    method, body = "GET", None
                at = where
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            if isinstance(problem, TimeoutError):
                raise
            raise CheckFailed(f"{asked} failed: {phrase(problem)}.") from None
    times = counted(settings.redirects, "redirect")
    raise CheckFailed(f"{method} {shown(url)} should answer after at most {times}, but was redirected again.")


def shown(url: str) -> str:
    """The address without what may be secret: user, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", "", ""))


def phrase(problem: BaseException) -> str:
    """Why a request failed, to end a sentence."""
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        return distrusted(problem.certificate_error)
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        return f"{problem.host} could not be resolved"
    for kind, said in _PHRASES.items():
        if isinstance(problem, kind):
            return said
    return failed_to_connect(getattr(problem, "os_error", problem))


def distrusted(problem: BaseException) -> str:
    """Why a certificate is not trusted, to end a sentence."""
    why = getattr(problem, "verify_message", "") or str(problem)
    return f"its certificate is not trusted: {why.rstrip('.')}"


async def _bounded(answer: aiohttp.ClientResponse, largest: int) -> tuple[bytes, bool]:
    found = bytearray()
    if not largest:
        return b"", False
    async for part in answer.content.iter_any():
        found += part
        if len(found) > largest:
            return bytes(found[:largest]), False
    return bytes(found), True


def _allowed(asked: str, at: str, where: str, hosts: tuple[str, ...]) -> None:
    """Only to where the catalog already sends this check, or to hosts that it names: never inside by surprise."""
    there, here = urlsplit(where), urlsplit(at)
    if there.scheme not in ("http", "https") or (here.scheme == "https" and there.scheme == "http"):
        raise CheckFailed(f"{asked} redirects to {shown(where)}, which is not https.")
    named = there.hostname in {host.lower() for host in hosts}
    same = there.hostname == here.hostname and (
        _port(there.scheme, there.port) == _port(here.scheme, here.port)
        or (there.scheme, _port("https", there.port), _port("http", here.port)) == ("https", 443, 80)
    )
    if not (same or named):
        raise CheckFailed(f"{asked} redirects to {shown(where)}, another host than its own.")


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


def _without_credentials(sent: dict[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Another host gets nothing that the settings send: it may be a secret in any header."""
    gone = {"authorization", *(name.lower() for name in own)}
    return {name: value for name, value in sent.items() if name.lower() not in gone}
