"""Client of the HTTP API for the command line: only the standard library, so that it starts quickly."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from bot import __version__
from bot.cli.exits import ApiRefused
from bot.domain import phrasebook
from bot.domain.formatting import duration
from bot.ports.errors import Unreachable
from bot.settings import CLIENT_NAMES, SettingsError

Shape = dict[str, Any]

URL, TOKEN, ALLOW_HTTP = CLIENT_NAMES
_ANSWER_S = 15.0
_BIGGEST = 16 * 2**20
_AGAIN = frozenset({429, 502, 503, 504})
_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0


class _Busy(Exception):
    """Try again, after `pause_s` if that is known."""

    def __init__(self, why: str, pause_s: float | None) -> None:
        super().__init__(why)
        self.pause_s = pause_s


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would send the token elsewhere."""

    def redirect_request(  # noqa: PLR0917 - the library's
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        return None


class ApiClient:
    """Calls of the API. Raises `ApiRefused`, and `Unreachable` when there is no answer within `patience_s`.

    Requests are repeated while the API is away or busy: reading changes nothing, and every change has a key.
    """

    def __init__(
        self, url: str, token: str, patience_s: float = 30.0, tell: Callable[[str], None] = lambda line: None
    ) -> None:
        """`tell`: told once when a call is repeated."""
        self._base = f"{url.rstrip('/')}/api/v1"
        self._token = token
        self._patience_s = patience_s
        self._opener = build_opener(_NoRedirects)
        self._tell = tell

    def get(self, path: str, **query: object) -> Shape:
        """Parameters that are None are left out."""
        return self._call(self._request("GET", _with(path, query)), self._patience_s)

    def wait(self, path: str, wait_s: int, mark: str, patience_s: float) -> Shape:
        """Get what changes or ends within `wait_s`. An API that is away is waited for up to `patience_s` instead."""
        asked = self._request("GET", _with(path, {"wait_s": wait_s, "mark": mark}))
        return self._call(asked, patience_s, _ANSWER_S + wait_s)

    def download(self, path: str, file: IO[bytes], **query: object) -> None:
        """Write what the path has to `file`. It is not repeated: a part may be written."""
        request = self._request("GET", _with(path, query))
        try:
            with self._opener.open(request, timeout=_ANSWER_S) as answer:
                shutil.copyfileobj(answer, file)
        except HTTPError as error:
            with error:
                found = _problem(error, error.read(_BIGGEST))
            raise (Unreachable(f"{self._base}: {found}") if isinstance(found, _Busy) else found) from None
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{self._base}: the download broke off ({_why(error)})") from None

    def post(self, path: str, body: Shape, key: str) -> Shape:
        """`key`: what makes it safe to repeat."""
        asked = self._request("POST", path, json.dumps(body).encode())
        asked.add_header("Content-Type", "application/json")
        asked.add_header("Idempotency-Key", key)
        return self._call(asked, self._patience_s)

    def _request(self, method: str, path: str, data: bytes | None = None) -> Request:
        headers = {"Authorization": f"Bearer {self._token}", "User-Agent": f"slipway/{__version__}"}
        return Request(self._base + path, data, headers, method=method)  # noqa: S310 - see `client`

    def _call(self, request: Request, patience_s: float, timeout_s: float = _ANSWER_S) -> Shape:
        deadline, pause_s, told = time.monotonic() + patience_s, _PAUSE_S, False
        while True:
            try:
                return self._once(request, timeout_s)
            except _Busy as busy:
                wanted = busy.pause_s or pause_s
                if time.monotonic() + wanted > deadline:
                    raise Unreachable(f"{self._base}: {busy}") from None
                if not told:
                    self._tell(f"{self._base}: {busy}. Trying again for up to {duration(patience_s)}.")
                    told = True
                time.sleep(wanted)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _once(self, request: Request, timeout_s: float) -> Shape:
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                return _shape(answer.read(_BIGGEST))
        except HTTPError as error:
            with error:
                raise _problem(error, error.read(_BIGGEST)) from None
        except (OSError, HTTPException) as error:
            raise _Busy(f"no answer ({_why(error)})", None) from None


def client(tell: Callable[[str], None]) -> ApiClient:
    """The client of the environment's address and token. Raises `SettingsError` for what is wrong with them."""
    url, token = (os.environ.get(name, "").strip() for name in (URL, TOKEN))
    if missing := [name for name, value in ((URL, url), (TOKEN, token)) if not value]:
        is_not = "is not" if len(missing) == 1 else "are not"
        raise SettingsError(
            [
                f"{' and '.join(missing)} {is_not} set.",
                f"{URL} is the address of the bot's web server; `slipway token create` makes a token.",
            ]
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError([f"{URL} must be an address that starts with https://."])
    if parts.scheme == "http" and not _loopback(parts.hostname) and os.environ.get(ALLOW_HTTP) != "1":
        raise SettingsError(
            [
                f"{URL} would send the token unencrypted to {parts.hostname}.",
                f"Use https://, or set {ALLOW_HTTP}=1 within a network that you trust.",
            ]
        )
    return ApiClient(url, token, tell=tell)


def _with(path: str, query: Mapping[str, object]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shape(data: bytes) -> Shape:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise phrasebook.no_answer_of_slipway(URL)
    return found


def _problem(error: HTTPError, data: bytes) -> Exception:
    if error.code in _AGAIN:
        after = error.headers.get("Retry-After", "")
        return _Busy(f"HTTP {error.code}", float(after) if after.isdigit() else None)
    if error.code >= 500 or "json" not in error.headers.get_content_type():
        return phrasebook.other_answer(error.code, error.url or "", error.headers.get("Location", ""), URL)
    return ApiRefused(error.code, _shape(data))


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(reason) or type(error).__name__
