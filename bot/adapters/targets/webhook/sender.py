"""Sender of one webhook: started by a job's supervisor, waits for the callback when one is announced.

It is run by file name and imports nothing of Slipway. The request is in its environment, where only this user can read
it. Exit codes are those of a target's commands.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

REQUEST, SECRET = "SLIPWAY_REQUEST", "SLIPWAY_WEBHOOK_SECRET"
# Written into the job's folder by the callback: its outcome, and what it says on the way.
CALLBACK, SAID = "callback", "said"
_TEMPORARY, _REFUSED = 75, 78
_TRY_AGAIN = frozenset({408, 425, 429})
_LARGEST, _SHOWN = 64 * 1024, 500
_LOOK_S = 0.1


def main() -> int:
    request: dict[str, Any] = json.loads(os.environ[REQUEST])
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    try:
        status, text = _send(request, os.environ[SECRET])
    except (OSError, http.client.HTTPException) as problem:
        if folder is not None and (folder / CALLBACK).exists():
            return _outcome(folder)
        _say(f"no answer: {problem or type(problem).__name__}")
        return _TEMPORARY
    accepted = 200 <= status < 300
    if folder is None:
        print(text if accepted else f"answered {status}: {text[:_SHOWN]}", flush=True)
    else:
        _say(f"answered {status}{f': {text[:_SHOWN]}' if text.strip() else ''}")
    if folder is not None and (status == 202 or (folder / CALLBACK).exists()):
        return _wait(folder)
    if accepted:
        return 0
    return _TEMPORARY if status >= 500 or status in _TRY_AGAIN else _REFUSED


def _send(request: dict[str, Any], secret: str) -> tuple[int, str]:
    """Status and text of the answer. Redirects are answers, since they could lead anywhere."""
    url, body = urlsplit(request["url"]), request["body"].encode()
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.netloc.rpartition("@")[2], timeout=request["timeout_s"])
    timestamp = str(int(time.time()))
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        **request["headers"],
        "Slipway-Timestamp": timestamp,
        "Slipway-Signature": f"v1={signed}",
        "User-Agent": "slipway",
    }
    path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
    try:
        connection.request(request["method"], path, body=body or None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_LARGEST).decode("utf-8", "replace")
    finally:
        connection.close()


def _wait(folder: Path) -> int:
    """Pass on what the callback says until it brings the outcome. The supervisor ends this when time is up."""
    offset = 0
    while True:
        over = (folder / CALLBACK).exists()
        offset = _pass_on(folder, offset)
        if over:
            return _outcome(folder)
        time.sleep(_LOOK_S)


def _pass_on(folder: Path, offset: int) -> int:
    try:
        with (folder / SAID).open("rb") as file:
            file.seek(offset)
            found = file.read()
    except FileNotFoundError:
        return offset
    sys.stdout.write(found.decode("utf-8", "replace"))
    sys.stdout.flush()
    return offset + len(found)


def _outcome(folder: Path) -> int:
    outcome: dict[str, Any] = json.loads((folder / CALLBACK).read_bytes())
    _say(f"{outcome['state']}{': ' + outcome['message'] if outcome['message'] else ''}")
    return 0 if outcome["state"] == "succeeded" else 1


def _say(text: str) -> None:
    print(" ".join(text.split()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
