"""What the demo asks of a Docker Engine, and what it says when that refuses; the engine is a fake on a Unix socket."""

import io
import json
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from demo.children import LaunchError
from demo.engine import LABEL, DockerEngine

ID = f"sha256:{'a' * 64}"


@dataclass
class FakeDockerEngine:
    """Images by name, containers by id with the demo's label, and what a build says at its end."""

    images: set[str] = field(default_factory=set)
    containers: dict[str, str] = field(default_factory=dict)
    error: str = ""
    status: int = 200
    built: list[tuple[str, str, list[str]]] = field(default_factory=list)  # name, base, files

    def app(self) -> web.Application:
        app = web.Application(client_max_size=10_000_000)
        app.router.add_get("/_ping", self.ping)
        app.router.add_get("/images/{name}/json", self.image)
        app.router.add_post("/build", self.build)
        app.router.add_get("/containers/json", self.listed)
        app.router.add_delete("/containers/{id}", self.remove)
        return app

    async def ping(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def image(self, request: web.Request) -> web.Response:
        if request.match_info["name"] in self.images:
            return web.json_response({"Id": ID})
        return web.json_response({"message": "No such image"}, status=404)

    async def build(self, request: web.Request) -> web.Response:
        with tarfile.open(fileobj=io.BytesIO(await request.read())) as context:
            files = context.getnames()
        name = request.query["t"]
        self.built.append((name, json.loads(request.query["buildargs"])["BASE"], files))
        if self.status != 200:
            return web.json_response({"message": self.error}, status=self.status)
        lines: list[dict[str, str]] = [{"stream": "Step 1/9 : ARG BASE\n"}, {"stream": "\n"}]
        if self.error:
            lines.append({"error": self.error})
        else:
            self.images.add(name)
        return web.Response(text="".join(f"{json.dumps(line)}\n" for line in lines))

    async def listed(self, request: web.Request) -> web.Response:
        (label,) = json.loads(request.query["filters"])["label"]
        assert request.query["all"] == "1"
        return web.json_response([{"Id": id_} for id_, one in self.containers.items() if one == label])

    async def remove(self, request: web.Request) -> web.Response:
        found = self.containers.pop(request.match_info["id"], None)
        return web.json_response({"message": "No such container"}, status=204 if found else 404)


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeDockerEngine]:
    fake = FakeDockerEngine()
    runner = web.AppRunner(fake.app())
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "e.sock")).start()
    yield fake
    await runner.cleanup()


@pytest.fixture
def engine(fake: FakeDockerEngine, tmp_path: Path) -> DockerEngine:
    return DockerEngine(f"unix://{tmp_path / 'e.sock'}")


async def test_the_image_is_built_once_for_each_base_and_named_by_its_id(
    fake: FakeDockerEngine, engine: DockerEngine
) -> None:
    told: list[str] = []
    assert [await engine.image("one:1", told.append) for _ in range(3)] == [ID] * 3
    assert await engine.image("two:1", told.append) == ID
    assert [base for _, base, _ in fake.built] == ["one:1", "two:1"]
    assert fake.built[0][0] != fake.built[1][0]
    assert [line.partition(" on ")[2] for line in told] == ["one:1 (once)", "two:1 (once)"]


async def test_the_image_has_the_services_and_their_requirements_alone(
    fake: FakeDockerEngine, engine: DockerEngine
) -> None:
    await engine.image()
    ((_, base, files),) = fake.built
    assert base == "python:3.11-slim"
    assert {name for name in files if not name.startswith("demo/services/")} == {
        "Dockerfile",
        "requirements.txt",
        "demo/__init__.py",
    }
    assert {"demo/services/service.py", "demo/services/herald.py"} < set(files)


@pytest.mark.parametrize("status", [200, 500])
async def test_an_image_that_cannot_be_built_says_why_and_what_to_do(
    fake: FakeDockerEngine, engine: DockerEngine, status: int
) -> None:
    """The engine says it in the last line of its output, or refuses the build as a whole."""
    fake.status, fake.error = status, "pull access denied for base"
    with pytest.raises(LaunchError, match="pull access denied for base") as refused:
        await engine.image("base:1")
    assert str(refused.value).endswith("make demo TARGET=docker DEMO_BASE_IMAGE=NAME")


async def test_only_the_containers_of_the_folder_are_removed(
    fake: FakeDockerEngine, engine: DockerEngine
) -> None:
    fake.containers = {
        "1": f"{LABEL}=/srv/one",
        "2": f"{LABEL}=/srv/one-more",
        "3": "",
        "4": f"{LABEL}=/srv/one",
    }
    await engine.remove(Path("/srv/one"))
    assert set(fake.containers) == {"2", "3"}
