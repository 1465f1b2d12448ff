"""Reader of calendars: within limits of size, time and number, and without telling their addresses."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from bot.adapters.calendars import program
from bot.adapters.sources.fetching import Fetcher
from bot.domain.formatting import one_line
from bot.domain.watch.oncall.calendar import CalendarEvent
from bot.domain.watch.oncall.schedule import CalendarSource
from bot.ports.errors import ManifestUnavailable, Unreachable

LARGEST = 4 * 2**20
MOST_EVENTS = 2000
_FETCH_S, _EXPAND_S = 15.0, 30.0
_ADDRESS = re.compile(r"https?://([^\s/]+)\S*")


class IcsCalendars:
    """Implements `bot.ports.watch.oncall.CalendarReader`."""

    def __init__(self, *, fetch_s: float = _FETCH_S, expand_s: float = _EXPAND_S) -> None:
        self._fetch_s = fetch_s
        self._expand_s = expand_s

    async def read(
        self, source: CalendarSource, zone: str, since: datetime, until: datetime
    ) -> Sequence[CalendarEvent]:
        text = await self._text(source)
        asked = {"zone": zone, "since": since.isoformat(), "until": until.isoformat(), "most": MOST_EVENTS}
        answer = await self._expanded(json.dumps(asked).encode() + b"\n" + text)
        if "problem" in answer:
            raise Unreachable(f"The calendar is not valid: {one_line(str(answer['problem']), 200)}.")
        return [
            CalendarEvent(datetime.fromisoformat(begin), datetime.fromisoformat(end), title, tuple(names))
            for begin, end, title, names in answer["events"]
        ]

    async def _text(self, source: CalendarSource) -> bytes:
        if source.url is None:
            return await asyncio.to_thread(_file, Path(source.file))
        url = source.url.reveal()
        fetcher = Fetcher(
            hosts=None,
            anywhere=True,
            inside=[urlsplit(url).hostname or ""],  # the catalog names it
            allow_loopback=source.allow_loopback,
            largest=LARGEST,
            timeout_s=self._fetch_s,
        )
        try:
            return (await fetcher.get(url)).encode()
        except ManifestUnavailable as error:
            # Such an address is often the only secret of a calendar.
            said = _ADDRESS.sub(r"the calendar at \1", str(error))
            raise Unreachable(said[:1].upper() + said[1:]) from None

    async def _expanded(self, request: bytes) -> dict[str, list[tuple[str, str, str, list[str]]]]:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(Path(program.__file__)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},  # the bot's has secrets
        )
        try:
            async with asyncio.timeout(self._expand_s):
                answer, _ = await worker.communicate(request)
            found = json.loads(answer)
        except TimeoutError:
            raise Unreachable("The calendar takes too long to expand.") from None
        except ValueError:
            raise Unreachable("The calendar takes too much time or memory to expand.") from None
        finally:
            if worker.returncode is None:
                with suppress(ProcessLookupError):
                    worker.kill()
                await worker.wait()
        assert isinstance(found, dict)
        return found


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            text = opened.read(LARGEST + 1)
    except OSError as error:
        raise Unreachable(f"The calendar {path.name} cannot be read: {error.strerror}.") from None
    if len(text) > LARGEST:
        raise Unreachable(f"The calendar {path.name} is larger than {LARGEST // 2**20} MiB.")
    return text
