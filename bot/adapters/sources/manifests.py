"""Where manifests come from: a file, a URL, a command's output, a file in GitHub, a file of a release."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.adapters.sources.fetching import Fetcher
from bot.domain.appcommands.applications import Application, Secret
from bot.domain.config import Catalog
from bot.domain.rollout.model import Release
from bot.ports.appcommands import SourcedManifest
from bot.ports.errors import ManifestUnavailable, Unreachable
from bot.ports.releases import ReleaseSource

LARGEST = 1024 * 1024  # bytes
_SHOWN = 300
_DEEPEST = 32  # a command's deepest choice lies at 10


class Manifests:
    """Implements `bot.ports.ManifestSource` for every kind that the catalog knows."""

    def __init__(self, current: Callable[[], Catalog], services: ReleaseSource) -> None:
        self._current = current
        self._services = services

    async def read(self, application: Application) -> SourcedManifest:
        source: dict[str, Any] = dict(application.source)
        match source.get("kind"):
            case "file":
                return await self.file(Path(source["path"]))
            case "url":
                return await self._url(source)
            case "command":
                return await self._command(source)
            case "github":
                return await self._github(source)
            case "artifact":
                return await self.artifact(source, await self._newest(source["service"]))
            case other:
                raise ManifestUnavailable(f"{application.name} has no manifest source of kind {other}.")

    async def of_release(self, application: Application, release: Release) -> SourcedManifest:
        source = application.source
        if source.get("kind") == "artifact" and source["service"] == release.service:
            return await self.artifact(source, release)
        return await self.read(application)

    async def file(self, path: Path) -> SourcedManifest:
        return SourcedManifest(parsed(await asyncio.to_thread(_bounded, path), str(path)), path.name)

    async def artifact(self, source: Mapping[str, Any], release: Release) -> SourcedManifest:
        """The manifest of one release: a file in its folder, or beside the catalog where releases have none."""
        path = await asyncio.to_thread(self._place, source, release)
        found = await self.file(path)
        where = f"{path.name} of {release.service} {release.version}"
        return SourcedManifest(found.content, where, release.commit)

    def _place(self, source: Mapping[str, Any], release: Release) -> Path:
        releases: Mapping[str, Any] = self._current().sources.get(release.service, {})
        relative = str(source["path"]).replace("{version}", release.version)
        if releases.get("kind") != "directory":
            return (Path(source["folder"]) / relative).resolve()
        folder = (Path(releases["path"]) / release.version).resolve()
        path = (folder / relative).resolve()
        if not path.is_relative_to(folder):
            raise ManifestUnavailable(f"{relative} lies outside of the folder of {release.version}.")
        return path

    async def _newest(self, service: str) -> Release:
        try:
            found = await self._services.releases(service, "")
        except Unreachable as error:
            raise ManifestUnavailable(str(error)) from None
        if not found:
            raise ManifestUnavailable(f"{service} has no release.")
        return found[0]

    async def _url(self, source: dict[str, Any]) -> SourcedManifest:
        fetcher = Fetcher(
            hosts=source.get("hosts"),
            allow_loopback=source["allow_loopback"],
            largest=LARGEST,
            timeout_s=source["timeout"],
        )
        text = await fetcher.get(source["url"])
        return SourcedManifest(parsed(text, source["url"]), source["url"])

    async def _github(self, source: dict[str, Any]) -> SourcedManifest:
        """The file at a commit: the ref is resolved first, so that what was read can be named."""
        token = source.get("token")
        headers = {"X-GitHub-Api-Version": "2022-11-28"}
        if isinstance(token, Secret) and token:
            headers["Authorization"] = f"Bearer {token.reveal()}"
        fetcher = Fetcher(
            hosts=None,
            allow_loopback=source["api"].startswith("http://"),
            largest=LARGEST,
            timeout_s=source["timeout"],
        )
        base = f"{source['api'].rstrip('/')}/repos/{source['repository']}"
        commit = await fetcher.get(
            f"{base}/commits/{source['ref']}", {**headers, "Accept": "application/vnd.github.sha"}
        )
        commit = commit.strip()
        if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise ManifestUnavailable(f"{source['repository']} has no commit {source['ref']}.")
        raw = {**headers, "Accept": "application/vnd.github.raw+json"}
        text = await fetcher.get(f"{base}/contents/{source['path'].lstrip('/')}?ref={commit}", raw)
        where = f"{source['repository']}/{source['path']} at {commit[:10]}"
        return SourcedManifest(parsed(text, where), where, commit)

    async def _command(self, source: dict[str, Any]) -> SourcedManifest:
        argv, where = [str(part) for part in source["command"]], f"output of {source['command'][0]}"
        output = await _output(argv, source["cwd"], source["timeout"])
        return SourcedManifest(parsed(output, where), where)


def parsed(text: str, where: str) -> Any:
    """The JSON value. Raises `ManifestUnavailable`."""
    if len(text) > LARGEST:
        raise _too_large(where)
    try:
        found = json.loads(text, parse_constant=_no_constant)
        if _deeper_than(_DEEPEST, found):
            raise RecursionError
        return found
    except RecursionError:  # the parser's own, from about a thousand levels on, or ours
        why = f"it nests deeper than {_DEEPEST}"
    except ValueError as error:
        why = str(error)
    began = " ".join(text[:60].split())
    raise ManifestUnavailable(f"{where} is not JSON: {why}. It begins with “{began}”.")


def _deeper_than(limit: int, value: Any) -> bool:
    """Level by level, so that every value is looked at once and the stack does not grow."""
    level = [value]
    for _ in range(limit + 1):
        nested = [found for found in level if isinstance(found, dict | list)]
        if not nested:
            return False
        level = [each for found in nested for each in (found.values() if isinstance(found, dict) else found)]
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _bounded(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ManifestUnavailable(f"{path} cannot be read: {error.strerror}.") from None
    return decoded(content, str(path))


def decoded(content: bytes, where: str) -> str:
    if len(content) > LARGEST:
        raise _too_large(where)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ManifestUnavailable(f"{where} is not UTF-8 text.") from None


def _too_large(where: str) -> ManifestUnavailable:
    return ManifestUnavailable(f"{where} is larger than {LARGEST // 1024} KiB.")


async def _output(argv: list[str], cwd: str, timeout_s: float) -> str:
    """What a program prints. It has no terminal, a bounded time, and nothing of it is left behind."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ManifestUnavailable(f"{argv[0]} cannot be started: {error.strerror}.") from None
    try:
        async with asyncio.timeout(timeout_s):
            assert process.stdout is not None and process.stderr is not None
            output, said = await asyncio.gather(_upto(process.stdout), _upto(process.stderr))
            status = await process.wait()
    except TimeoutError:
        raise ManifestUnavailable(f"{argv[0]} was not done within {timeout_s:g} s.") from None
    finally:
        await _end(process)
    if status != 0:
        why = said.decode("utf-8", "replace").strip()[-_SHOWN:]
        raise ManifestUnavailable(f"{argv[0]} ended with exit code {status}: {why or 'it said nothing'}")
    return decoded(output, f"output of {argv[0]}")


async def _upto(stream: asyncio.StreamReader) -> bytes:
    """Everything is read, so that the program can end; of what is too much, one byte is kept to tell."""
    found = bytearray()
    while part := await stream.read(65536):
        found += part[: LARGEST + 1 - len(found)]
    return bytes(found)


async def _end(process: asyncio.subprocess.Process) -> None:
    """The program and what it started are gone, and what they wrote last is thrown away."""
    if process.returncode is None:
        _kill(process)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await process.communicate()


def _kill(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
