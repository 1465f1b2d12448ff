"""The demo services as containers: their image, the catalog for that, and their way to the sandbox."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from demo.children import LaunchError
from demo.engine import BASE, DEFAULT, DockerEngine
from demo.forwarding import Forwarding

LAYER = Path(__file__).with_suffix(".yaml")


class Containers:
    """The demo services on an engine, in the image with this id. Use `prepared`."""

    def __init__(self, engine: DockerEngine, image: str) -> None:
        self._engine, self._image = engine, image
        self._sandbox: Forwarding | None = None

    @classmethod
    async def prepared(
        cls, environ: Mapping[str, str] = os.environ, tell: Callable[[str], object] = lambda line: None
    ) -> Containers:
        """With the image built. `environ`: DOCKER_HOST, DEMO_BASE_IMAGE. Raises `LaunchError`."""
        if sys.platform != "linux":
            raise LaunchError(
                "The demo on containers needs Linux: they reach the local Discord by a Unix socket."
            )
        engine = DockerEngine(environ.get("DOCKER_HOST") or DEFAULT)
        return cls(engine, await engine.image(environ.get("DEMO_BASE_IMAGE") or BASE, tell))

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the catalog."""
        return {"SLIPWAY_DEMO_ENGINE": self._engine.address, "SLIPWAY_DEMO_IMAGE": self._image}

    async def open(self, folder: Path, sandbox: str) -> None:
        """Make `folder/services`, all that containers see of the demo, with a way to the sandbox at this URL."""
        services = folder / "services"
        services.mkdir()
        services.chmod(0o755)  # a program in a container is another user
        self._sandbox = Forwarding(services, "discord.sock", urlsplit(sandbox).port or 80)
        await self._sandbox.open()

    async def clear(self, folder: Path) -> None:
        """Remove the containers of the demo in `folder`, and close what `open` opened. Raises `LaunchError`."""
        try:
            await self._engine.remove(folder)
        finally:
            if self._sandbox is not None:
                await self._sandbox.close()
                self._sandbox = None


def write_catalog(config: Path, folder: Path) -> None:
    """Write the catalog of `config`, changed by `containers.yaml`, to `folder`. Raises KeyError for an unknown path."""
    folder.mkdir()
    changes: dict[str, Any] = yaml.safe_load(LAYER.read_text())
    for file in sorted(config.glob("*.yaml")):
        text = file.read_text()
        sections = yaml.safe_load(text)
        if changed := [path for path in changes if path.partition(".")[0] in sections]:
            for path in changed:
                _replace(sections, path, changes.pop(path))
            text = yaml.safe_dump(sections, sort_keys=False)
        (folder / file.name).write_text(text)
    if changes:
        raise KeyError(f"{config} has no {', '.join(changes)}")


def _replace(sections: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for name in above:
        sections = sections[name]
    if last not in sections:
        raise KeyError(path)
    sections[last] = value
