"""Images from a real registry: pinned, pulled with progress, and every way in which that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from bot.adapters.runtimes.docker import images
from bot.domain.rollout.model import Release, RunState
from bot.ports.errors import TargetRefused, Unreachable
from demo.children import free_port
from tests.support.docker import DockerEngine, Registry, docker_engine, registry
from tests.support.runtimes import LANE, DockerKit, DockerWorld, answer
from tests.support.waiting import until

pytestmark = pytest.mark.real

NOWHERE = f"sha256:{'a' * 64}"


@pytest.fixture(scope="module")
def hub() -> Iterator[Registry]:
    with registry() as served:
        yield served


@asynccontextmanager
async def slow_registry(
    behind: Registry, *, blobs_after: asyncio.Event, other: bytes = b"", port: int = 0
) -> AsyncIterator[str]:
    """A registry that sends the second half of each layer once it is told to; `other` stands in for every manifest.

    port: 0 for any.
    """

    async def pass_on(request: web.Request) -> web.StreamResponse:
        async with (
            ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, f"http://{behind.name}{request.rel_url}", headers=request.headers
            ) as from_it,
        ):
            body = await from_it.read()
            headers = {
                k: v for k, v in from_it.headers.items() if k not in ("Transfer-Encoding", "Content-Length")
            }
            if other and "/manifests/" in request.path and request.method == "GET":
                body = other
            answer = web.StreamResponse(status=from_it.status, headers=headers)
            answer.content_length = (
                len(body) if request.method != "HEAD" else int(from_it.headers["Content-Length"])
            )
            await answer.prepare(request)
            if request.method != "HEAD":
                if "/blobs/" in request.path and len(body) > 100_000:
                    await answer.write(body[: len(body) // 2])
                    await blobs_after.wait()
                    body = body[len(body) // 2 :]
                await answer.write(body)
            return answer

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", pass_on)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        blobs_after.set()
        await runner.cleanup()


def published(engine: DockerEngine, hub: Registry, name: str, *, more: int = 0) -> str:
    """An image in the registry that the engine does not have; its digest."""
    engine.load(f"{hub.name}/{name}", more=more)
    return engine.push(f"{hub.name}/{name}")


async def resolve(on: DockerWorld, release: Release) -> Release:
    return await images.resolve(on.runtime.engine, images.Logins(None), release, environment="production")


async def test_tag_is_pinned_when_asked_and_runs_as_it_was_when_it_moves_later(
    on_docker: DockerWorld, hub: Registry
) -> None:
    digest = published(on_docker.engine, hub, "moves:1.0")
    release = on_docker.kit.release("1.0", image=f"{hub.name}/moves:{{version}}")
    sealed = await resolve(on_docker, release)
    assert sealed.spec["image"] == f"{hub.name}/moves@{digest}"
    moved = published(on_docker.engine, hub, "moves:1.0", more=1000)
    assert moved != digest
    assert (await resolve(on_docker, release)).digest != sealed.digest
    seen = await on_docker.ready(sealed)
    (container,) = on_docker.engine.containers()
    assert container["Image"] == f"{hub.name}/moves@{digest}"
    assert await answer(seen.instances[0]) == "1.0"


async def test_pinned_release_is_left_as_it_is(on_docker: DockerWorld) -> None:
    release = on_docker.kit.release("1.0", image=f"web@{NOWHERE}")
    assert await resolve(on_docker, release) == release


async def test_image_that_only_this_engine_has_is_pinned_by_its_id(
    on_docker: DockerWorld, hub: Registry
) -> None:
    image = on_docker.engine.load(f"{hub.name}/local:1")
    sealed = await resolve(on_docker, on_docker.kit.release("1.0", image=f"{hub.name}/local:1"))
    assert sealed.spec["image"] == image
    await on_docker.ready(sealed)


async def test_release_that_is_not_pinned_is_refused(on_docker: DockerWorld) -> None:
    with pytest.raises(TargetRefused, match="its image web:latest is not pinned by a digest"):
        on_docker.runtime.check(on_docker.kit.release("1.0", image="web:latest"), exclusive=False)


async def test_tag_that_no_registry_has_is_refused(on_docker: DockerWorld, hub: Registry) -> None:
    with pytest.raises(TargetRefused, match=rf"web 9\.9: {hub.name} has no image {hub.name}/none:9\.9"):
        await resolve(on_docker, on_docker.kit.release("9.9", image=f"{hub.name}/none:{{version}}"))


async def test_registry_that_is_away_cannot_resolve(on_docker: DockerWorld) -> None:
    with pytest.raises(
        Unreachable, match=r"127\.0\.0\.1:1 cannot be reached for 127\.0\.0\.1:1/web:1: .*connection refused"
    ):
        await resolve(on_docker, on_docker.kit.release("1", image="127.0.0.1:1/web:1"))


async def test_digest_that_the_registry_does_not_have_fails_the_start(
    on_docker: DockerWorld, hub: Registry
) -> None:
    published(on_docker.engine, hub, "known:1")
    detail = await on_docker.crashed(on_docker.kit.release("1", image=f"{hub.name}/known@{NOWHERE}"))
    assert detail == f"{hub.name} has no image {hub.name}/known@{NOWHERE}"


async def test_registry_that_sends_something_else_than_the_digest_fails_the_start(
    on_docker: DockerWorld, hub: Registry
) -> None:
    digest = published(on_docker.engine, hub, "forged:1")
    forged = b'{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
    async with slow_registry(hub, blobs_after=asyncio.Event(), other=forged) as name:
        detail = await on_docker.crashed(on_docker.kit.release("1", image=f"{name}/forged@{digest}"))
    assert detail.startswith(f"{name} sent something else than {name}/forged@{digest}")
    assert not on_docker.engine.containers()


async def test_pull_from_a_slow_registry_shows_how_far_it_is(on_docker: DockerWorld, hub: Registry) -> None:
    digest = published(on_docker.engine, hub, "large:1", more=20_000_000)
    go = asyncio.Event()
    async with slow_registry(hub, blobs_after=go) as name:
        release = on_docker.kit.release("1", image=f"{name}/large@{digest}")
        on_docker.runtime.run(LANE, release, restart=False)
        seen = await on_docker.until(release, lambda seen: " of 21 MB" in seen.instances[0].detail)
        assert seen.state is RunState.STARTING and seen.instances[0].detail.startswith("pulling ")
        go.set()
        await on_docker.until(
            release, lambda seen: seen.state is RunState.READY and not seen.instances[0].detail
        )


async def test_pull_can_be_stopped(on_docker: DockerWorld, hub: Registry) -> None:
    digest = published(on_docker.engine, hub, "stopped:1", more=1_000_000)
    async with slow_registry(hub, blobs_after=asyncio.Event()) as name:
        release = on_docker.kit.release("1", image=f"{name}/stopped@{digest}")
        on_docker.runtime.run(LANE, release, restart=False)
        await on_docker.until(release, lambda seen: "pulling" in seen.instances[0].detail)
        on_docker.runtime.stop(LANE, release.digest, drained=True)
        await until(on_docker.runtime.observe, lambda seen: not seen)


async def test_registry_that_goes_silent_is_given_up(
    on_docker: DockerWorld, hub: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "STALLED_S", 1.0)
    digest = published(on_docker.engine, hub, "silent:1", more=1_000_000)
    async with slow_registry(hub, blobs_after=asyncio.Event()) as name:
        detail = await on_docker.crashed(on_docker.kit.release("1", image=f"{name}/silent@{digest}"))
    assert detail == f"{name} has sent nothing of {name}/silent for 1 s"


async def test_registry_that_is_away_for_a_moment_fails_no_start(
    on_docker: DockerWorld, hub: Registry
) -> None:
    digest, port, complete = published(on_docker.engine, hub, "back:1"), free_port(), asyncio.Event()
    complete.set()
    release = on_docker.kit.release("1", image=f"127.0.0.1:{port}/back@{digest}")
    on_docker.runtime.run(LANE, release, restart=False)
    await on_docker.until(release, lambda seen: "cannot be reached" in seen.instances[0].detail)
    # One that is there at once: the third pull is the last, and a program may take longer for its start.
    async with slow_registry(hub, blobs_after=complete, port=port):
        await on_docker.until(release, lambda seen: seen.state is RunState.READY)


async def test_registry_that_stays_away_fails_the_start(on_docker: DockerWorld) -> None:
    detail = await on_docker.crashed(on_docker.kit.release("1", image=f"127.0.0.1:1/web@{NOWHERE}"))
    assert detail.startswith(f"127.0.0.1:1 cannot be reached for 127.0.0.1:1/web@{NOWHERE}: ")


async def test_full_disk_fails_the_candidate_and_leaves_stable_alone(hub: Registry, tmp_path: Path) -> None:
    with docker_engine(size="40m") as engine:
        kit = DockerKit(engine, tmp_path)
        runtime = kit.make()
        await runtime.start(lambda lane: None)
        on = DockerWorld(kit, runtime)
        before = await on.ready(kit.release("1.0"))
        with docker_engine() as elsewhere:
            digest = published(elsewhere, hub, "huge:1", more=60_000_000)
        detail = await on.crashed(kit.release("1.1", image=f"{hub.name}/huge@{digest}"))
        assert detail.startswith("the disk of the engine's machine is full, so ")
        assert await on.until(kit.release("1.0"), lambda seen: seen.ready) == before
        assert await answer(before.instances[0]) == "1.0"
        await runtime.close()
