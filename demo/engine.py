"""The Docker Engine of `make demo TARGET=docker`: the image of the demo services, and the containers of a demo."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp

from demo.children import LaunchError

DEFAULT = "unix:///var/run/docker.sock"
BASE = "python:3.11-slim"
LABEL = "slipway-demo.folder"

_HERE = Path(__file__).resolve().parent
_WAY_OUT = (
    "Where nothing can be pulled, name an image that the engine has, with Python 3.11 and pip: "
    "make demo TARGET=docker DEMO_BASE_IMAGE=NAME"
)
_ANSWERS_S, _BUILT_S = 30.0, 900.0
_LINES = 5


class DockerEngine:
    """An engine on this machine. Every method raises `LaunchError` when it does not answer, or refuses."""

    def __init__(self, address: str = DEFAULT) -> None:
        scheme, _, self._socket = address.partition("://")
        if scheme != "unix":
            raise LaunchError(
                f"The demo needs a Docker Engine on this machine, and DOCKER_HOST is {address}. "
                f"Name its socket: make demo TARGET=docker DOCKER_HOST={DEFAULT}"
            )
        self.address = address

    async def image(self, base: str = BASE, tell: Callable[[str], object] = lambda line: None) -> str:
        """The id of the image of the demo services, which is built on `base` unless this engine has it."""
        await self._ask("GET", "/_ping")
        files = _context()
        content = json.dumps([base, *((name, text.decode()) for name, text in files.items())])
        name = f"slipway-demo:{hashlib.sha256(content.encode()).hexdigest()[:12]}"
        found = await self._ask("GET", f"/images/{name}/json", missing=(404,))
        if found is None:
            tell(f"· building the image {name} on {base} (once)")
            await self._build(name, base, files)
            found = await self._ask("GET", f"/images/{name}/json")
        return str(json.loads(found or "")["Id"])

    async def remove(self, folder: Path) -> None:
        """Remove the containers of the demo in `folder`, and no others."""
        mine = json.dumps({"label": [f"{LABEL}={folder}"]})
        found = await self._ask("GET", "/containers/json", params={"all": "1", "filters": mine})
        for container in json.loads(found or ""):
            path, params = f"/containers/{container['Id']}", {"force": "1", "v": "1"}
            await self._ask(
                "DELETE", path, params=params, missing=(404, 409)
            )  # 409: it is being removed already

    async def _build(self, name: str, base: str, files: Mapping[str, bytes]) -> None:
        params = {"t": name, "buildargs": json.dumps({"BASE": base}), "rm": "1", "forcerm": "1"}
        try:
            said = await self._ask("POST", "/build", params=params, data=_packed(files), timeout_s=_BUILT_S)
        except LaunchError as problem:
            raise LaunchError(f"{problem}\n{_WAY_OUT}") from None
        lines = [json.loads(line) for line in (said or "").splitlines() if line.strip()]
        wrong = next((str(line["error"]).strip() for line in lines if "error" in line), "")
        if wrong:
            output = "".join(str(line.get("stream", "")) for line in lines).split("\n")
            last = [line for line in output if line.strip()][-_LINES:]
            raise LaunchError(
                "\n".join((f"The image of the demo services cannot be built: {wrong}", *last, _WAY_OUT))
            )

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout_s: float = _ANSWERS_S,
        missing: tuple[int, ...] = (),
    ) -> str | None:
        """The text of the answer; None for a status that means that it is missing."""
        connector = aiohttp.UnixConnector(self._socket)
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.request(method, f"http://engine{path}", params=params, data=data) as answer,
            ):
                status, text = answer.status, await answer.text()
        except TimeoutError:
            raise LaunchError(
                f"The Docker Engine at {self.address} did not finish {method} {path} within {timeout_s:.0f} s."
            ) from None
        except (aiohttp.ClientError, OSError) as problem:
            why = getattr(problem, "strerror", None) or str(problem)
            raise LaunchError(
                f"No Docker Engine answers at {self.address}: {why}. Start one, or name its socket: "
                "make demo TARGET=docker DOCKER_HOST=unix://PATH"
            ) from None
        if status in missing:
            return None
        if status >= 400:
            raise LaunchError(f"The Docker Engine at {self.address} refused {method} {path}: {text.strip()}")
        return text


def _context() -> dict[str, bytes]:
    """The files that the image is built from, by name."""
    services = {
        f"demo/services/{file.name}": file.read_bytes() for file in sorted(_HERE.glob("services/*.py"))
    }
    return {
        "Dockerfile": (_HERE / "Dockerfile").read_bytes(),
        "requirements.txt": (_HERE.parent / "requirements" / "services.txt").read_bytes(),
        "demo/__init__.py": (_HERE / "__init__.py").read_bytes(),
        **services,
    }


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
