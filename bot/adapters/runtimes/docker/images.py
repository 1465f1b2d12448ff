"""Images: pinned by digest when a rollout starts, pulled with progress, and why that failed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.adapters.runtimes.docker.engine import DockerApi, EngineApi, EngineError
from bot.adapters.runtimes.docker.settings import EngineAddress
from bot.adapters.runtimes.spec import fill
from bot.domain.rollout.model import Release
from bot.ports.errors import TargetRefused, Unreachable

_HUB = "docker.io"
_HUB_LOGIN = "https://index.docker.io/v1/"
# A registry that sends nothing for so long is taken for away.
STALLED_S = 60.0
_RESOLVE_S = 20.0
_HELPER_S = 20.0


class ImageUnavailable(Exception):
    """The image cannot be had; the sentence says why. `again`: trying again may help."""

    def __init__(self, sentence: str, *, again: bool = False) -> None:
        super().__init__(sentence)
        self.again = again


@dataclass(frozen=True, slots=True)
class Reference:
    """`[registry/]name[:tag][@digest]`, or the id of a local image (`sha256:…`, then `name` is empty)."""

    name: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        if text.startswith("sha256:"):
            return cls("", "", text)
        rest, _, digest = text.partition("@")
        head, slash, last = rest.rpartition("/")
        last, _, tag = last.partition(":")
        return cls(f"{head}{slash}{last}", tag or ("" if digest else "latest"), digest)

    @property
    def registry(self) -> str:
        first, slash, _ = self.name.partition("/")
        return first if slash and ("." in first or ":" in first or first == "localhost") else _HUB

    @property
    def short(self) -> str:
        """For people, who know an image by the beginning of its digest."""
        return f"{self.name}@{self.digest[:19]}" if self.name and self.digest else str(self)

    def __str__(self) -> str:
        if not self.name:
            return self.digest
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


class Logins:
    """Logins to registries from the file that `docker login` writes, with its credential helpers. None without it."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    async def headers(self, reference: Reference) -> dict[str, str]:
        """Header for the engine. Raises `ImageUnavailable` when the file cannot be read, or a helper fails."""
        login = await self.login(reference.registry)
        if login is None:
            return {}
        return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(login).encode()).decode()}

    async def login(self, registry: str) -> Mapping[str, str] | None:
        """`username` and `password`, or `identitytoken`. Raises as `headers` does."""
        if self._file is None:
            return None
        try:
            config = json.loads(await asyncio.to_thread(self._file.read_bytes))
            names = (
                (registry, f"https://{registry}", _HUB_LOGIN)
                if registry == _HUB
                else (registry, f"https://{registry}")
            )
            helper = config.get("credHelpers", {}).get(registry) or config.get("credsStore")
            if helper:
                return await self._from_helper(helper, names[-1] if registry == _HUB else registry)
            auth = next((config["auths"][name] for name in names if name in config.get("auths", {})), None)
            if auth is None:
                return None
            if "identitytoken" in auth:
                return {"identitytoken": auth["identitytoken"]}
            user, _, password = base64.b64decode(auth["auth"], validate=True).decode().partition(":")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            what = (
                problem.strerror if isinstance(problem, OSError) else "it is not what `docker login` writes"
            )
            raise ImageUnavailable(f"the logins in {self._file} cannot be read: {what}") from None
        return {"username": user, "password": password, "serveraddress": registry}

    async def _from_helper(self, helper: str, server: str) -> Mapping[str, str] | None:
        program = f"docker-credential-{helper}"
        try:
            process = await asyncio.create_subprocess_exec(
                program, "get", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
            async with asyncio.timeout(_HELPER_S):
                said, _ = await process.communicate(server.encode())
            if process.returncode != 0:
                return None  # as it answers for a registry that it does not know
            found = json.loads(said)
        except (OSError, TimeoutError, ValueError):
            raise ImageUnavailable(f"{program} gives no login for {server}", again=True) from None
        if found["Username"] == "<token>":
            return {"identitytoken": found["Secret"]}
        return {"username": found["Username"], "password": found["Secret"], "serveraddress": server}


async def pin(settings: EngineAddress, release: Release, environment: str) -> Release:
    """`resolve`, by an engine that is asked this once."""
    return await pin_by(lambda folder: DockerApi(settings, folder), settings, release, environment)


async def pin_by(
    connect: Callable[[Path], EngineApi], settings: EngineAddress, release: Release, environment: str
) -> Release:
    """`resolve`, by what `connect` makes with a folder of its own; it is closed again."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        engine = connect(Path(folder))
        try:
            return await resolve(engine, Logins(settings.logins), release, environment=environment)
        finally:
            await engine.close()


async def resolve(engine: EngineApi, logins: Logins, release: Release, *, environment: str = "") -> Release:
    """`release` with its image pinned by the digest that its tag has now; its own digests cover that.

    An image that no registry has, but this engine, is pinned by its id. Raises `TargetRefused` for an image that does
    not exist, `Unreachable` when that cannot be found out.
    """
    written = release.spec.get("image")
    if not isinstance(written, str):
        raise TargetRefused(f"{release.service} {release.version} has no image")
    places = {"version": release.version, "service": release.service, "environment": environment}
    reference = Reference.parse(fill(written, places))
    if reference.digest:
        return pinned(release, str(reference)) if str(reference) != written else release
    try:
        digest = await _digest(engine, logins, reference)
    except ImageUnavailable as problem:
        local = None if problem.again else await _local_id(engine, reference)
        if local is not None:
            return pinned(release, local)
        kind = Unreachable if problem.again else TargetRefused
        raise kind(f"{release.service} {release.version}: {problem}") from None
    return pinned(release, f"{reference.name}@{digest}")


def pinned(release: Release, image: str) -> Release:
    """`release` that runs exactly `image`. Its digest and its base change with the image."""

    def covering(digest: str) -> str:
        return f"sha256:{hashlib.sha256(json.dumps([digest, image]).encode()).hexdigest()}"

    return replace(
        release,
        digest=covering(release.digest),
        base=covering(release.base) if release.base else "",
        spec={**release.spec, "image": image},
    )


async def _digest(engine: EngineApi, logins: Logins, reference: Reference) -> str:
    """Raises `ImageUnavailable`, `Unreachable`."""
    headers = await logins.headers(reference)
    try:
        told = await engine.get(f"/distribution/{reference}/json", headers=headers, timeout_s=_RESOLVE_S)
    except EngineError as error:
        raise _unavailable(reference, str(error)) from None
    return str(told["Descriptor"]["digest"])


async def why_missing(engine: EngineApi, logins: Logins, image: str) -> ImageUnavailable | None:
    """Why a pinned image cannot be had, as far as this engine can tell. Raises `Unreachable`."""
    reference = Reference.parse(image)
    if not reference.name:
        return ImageUnavailable(f"no engine there has the image {image}, and no registry has it")
    try:
        await _digest(engine, logins, reference)
    except ImageUnavailable as problem:
        return problem
    return None


async def _local_id(engine: EngineApi, reference: Reference) -> str | None:
    with contextlib.suppress(EngineError):
        return str((await engine.get(f"/images/{reference}/json"))["Id"])
    return None


async def ensure(engine: EngineApi, logins: Logins, image: str, progress: Callable[[str], None]) -> None:
    """Pull a pinned image unless the engine has it. `progress` gets phrases such as "pulling 120 of 340 MB".

    Raises `ImageUnavailable`, `Unreachable`.
    """
    reference = Reference.parse(image)
    try:
        await engine.get(f"/images/{reference}/json")
    except EngineError as error:
        if error.status != 404:
            raise _unavailable(reference, str(error)) from None
    else:
        return
    if not reference.name:
        raise ImageUnavailable(f"the engine no longer has the image {image}, and no registry has it")
    progress(f"pulling {reference.short}")
    pull = Progress(reference.short)
    stream = engine.stream(
        "POST",
        "/images/create",
        silence_s=STALLED_S,
        params={"fromImage": reference.name, "tag": reference.digest},
        headers=await logins.headers(reference),
    )
    try:
        async with contextlib.aclosing(stream):
            async for line in stream:
                if "error" in line:
                    raise _unavailable(reference, str(line["error"]))
                if pull.take(line):
                    progress(pull.phrase)
    except EngineError as error:
        raise _unavailable(reference, str(error)) from None
    except TimeoutError:
        sentence = f"{reference.registry} has sent nothing of {reference.name} for {STALLED_S:g} s"
        raise ImageUnavailable(sentence, again=True) from None


class Progress:
    """How far a pull of the image `name` is, from the lines of the engine."""

    _EVERY_S = 0.5

    def __init__(self, name: str) -> None:
        self._name = name
        self._layers: dict[str, tuple[int, int]] = {}
        self._told = 0.0

    def take(self, line: Mapping[str, Any]) -> bool:
        """Whether there is something new to tell."""
        layer, status = str(line.get("id", "")), str(line.get("status", ""))
        detail = line.get("progressDetail") or {}
        if status == "Downloading" and "total" in detail:
            self._layers[layer] = (int(detail.get("current", 0)), int(detail["total"]))
        elif status in ("Download complete", "Pull complete") and layer in self._layers:
            self._layers[layer] = (self._layers[layer][1],) * 2
        else:
            return False
        if time.monotonic() - self._told < self._EVERY_S:
            return False
        self._told = time.monotonic()
        return True

    @property
    def phrase(self) -> str:
        done, total = (sum(each) for each in zip(*self._layers.values(), strict=True))
        if total < 10_000_000:
            return f"pulling {done / 1e6:.1f} of {total / 1e6:.1f} MB of {self._name}"
        return f"pulling {done / 1e6:.0f} of {total / 1e6:.0f} MB of {self._name}"


def _unavailable(reference: Reference, said: str) -> ImageUnavailable:
    """A sentence for the engine's words."""
    low = said.lower()
    if "no space left" in low:
        return ImageUnavailable(f"the disk of the engine's machine is full, so {reference} cannot be pulled")
    if "manifest unknown" in low or "not found" in low or "name unknown" in low or "no such image" in low:
        return ImageUnavailable(f"{reference.registry} has no image {reference}")
    if (
        "manifest verification failed" in low
        or "invalid checksum" in low
        or ("digest" in low and "mismatch" in low)
    ):
        return ImageUnavailable(f"{reference.registry} sent something else than {reference}: {said}")
    if "denied" in low or "unauthorized" in low or "authentication required" in low or "no basic auth" in low:
        return ImageUnavailable(
            f"{reference.registry} does not give {reference} to this login, or has no such image"
        )
    if "invalid reference format" in low:
        return ImageUnavailable(f"{reference} is no name of an image")
    return ImageUnavailable(f"{reference.registry} cannot be reached for {reference}: {said}", again=True)
