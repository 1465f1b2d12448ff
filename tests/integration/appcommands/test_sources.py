"""Manifests from where the catalog says; what is slow, huge, no JSON or leads inside is refused with a sentence."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.runtimes.process.spec import ProcessSpecSettings
from bot.adapters.sources.directory import DirectorySettings
from bot.adapters.sources.fetching import Fetcher
from bot.adapters.sources.manifests.reading import LARGEST
from bot.composition.adapters import Manifests, make_manifests, make_releases
from bot.composition.registry import KINDS
from bot.domain.appcommands.applications import Application
from bot.domain.config import Catalog, ReleasesConfig
from bot.domain.secret import Secret
from bot.ports.errors import ManifestUnavailable

COMMANDS = [{"name": "hello", "description": "Says hello"}]
SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
async def site() -> AsyncIterator[str]:
    async def good(request: web.Request) -> web.Response:
        return web.json_response(COMMANDS)

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def dripping(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(100):
            await answer.write(b" ")
            await asyncio.sleep(0.1)
        return answer

    async def huge(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(3 * LARGEST // 65536):
            await answer.write(b" " * 65536)
        return answer

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>Sign in</title>", content_type="text/html")

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def commit(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer hidden"
        return web.Response(text=SHA) if request.match_info["ref"] == "main" else web.Response(status=404)

    async def contents(request: web.Request) -> web.Response:
        assert request.query["ref"] == SHA
        return web.json_response(COMMANDS)

    app = web.Application()
    app.router.add_get("/good", good)
    app.router.add_get("/slow", slow)
    app.router.add_get("/dripping", dripping)
    app.router.add_get("/huge", huge)
    app.router.add_get("/page", page)
    app.router.add_get("/away", away)
    app.router.add_get("/repos/acme/bot/commits/{ref}", commit)
    app.router.add_get("/repos/acme/bot/contents/commands.json", contents)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def application(**source: Any) -> Application:
    settings = KINDS.manifests[source["kind"]].settings.model_validate(source)
    return Application("greeter", 1, Secret("x"), settings)


def manifests(releases: dict[str, ReleasesConfig] | None = None) -> Manifests:
    catalog = Catalog({}, {}, "1", releases=releases or {})
    return make_manifests(lambda: catalog, make_releases(lambda: catalog))


def url(address: str, **more: Any) -> Application:
    return application(kind="url", url=address, **{"allow_loopback": True} | more)


async def test_a_url_is_fetched(site: str) -> None:
    found = await manifests().read(url(f"{site}/good"))
    assert (found.content, found.where) == (COMMANDS, f"{site}/good")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/slow", "did not answer in full within 1 s"),
        ("/dripping", "did not answer in full within 1 s"),
        ("/huge", "is larger than 1024 KiB"),
        ("/page", "is not JSON"),
        ("/nothing", "answered 404"),
        ("/away?to=/away?to=/good", None),
        ("/away?to=http://169.254.169.254/latest/meta-data", "use https"),
        ("/away?to=https://169.254.169.254/latest/meta-data", "allowed hosts are 127.0.0.1"),
        ("/away?to=https://10.0.0.1/", "allowed hosts are 127.0.0.1"),
        ("/away?to=file:///etc/passwd", "use https"),
        ("/away?to=http://user:pw@127.0.0.1/", "remove the user name and password"),
    ],
)
async def test_what_a_url_must_not_do_is_a_sentence(site: str, path: str, said: str | None) -> None:
    reading = manifests().read(
        url(f"{site}{path}", **({"timeout": "1s"} if said and "within 1 s" in said else {}))
    )
    if said is None:
        assert (await reading).content == COMMANDS
        return
    with pytest.raises(ManifestUnavailable, match=said):
        await reading


@pytest.mark.parametrize(
    "inner",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "[::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "0.0.0.0",
    ],
)
async def test_inner_addresses_are_refused_also_where_they_are_named(inner: str) -> None:
    fetcher = Fetcher(hosts=None, allow_loopback=False, largest=10, timeout_s=30.0)
    with pytest.raises(ManifestUnavailable, match="address inside the network"):
        await fetcher.get(f"https://{inner}/x")


async def test_a_name_that_leads_inside_is_refused_before_anything_is_sent() -> None:
    fetcher = Fetcher(hosts=["localhost"], allow_loopback=False, largest=10, timeout_s=30.0)
    with pytest.raises(ManifestUnavailable, match=r"localhost resolves to .*inside the network"):
        await fetcher.get("https://localhost/x")


async def test_plain_http_needs_the_permission_for_this_machine(site: str) -> None:
    with pytest.raises(ManifestUnavailable, match="use https"):
        await manifests().read(url(f"{site}/good", allow_loopback=False))


async def test_a_file_in_github_is_read_at_the_commit_that_the_ref_names(site: str) -> None:
    source = {"repository": "acme/bot", "path": "commands.json", "api": site}
    found = await manifests().read(application(kind="github", ref="main", token=Secret("hidden"), **source))
    assert (found.content, found.commit) == (COMMANDS, SHA)
    assert found.where == f"acme/bot/commands.json at {SHA[:10]}"
    with pytest.raises(ManifestUnavailable, match="404"):
        await manifests().read(application(kind="github", ref="gone", token=Secret("hidden"), **source))


def program(code: str, timeout: str = "10s", **more: object) -> Application:
    return application(kind="command", command=(sys.executable, "-c", code), cwd=".", timeout=timeout, **more)


async def test_the_output_of_a_command_is_the_manifest() -> None:
    found = await manifests().read(program(f"print({json.dumps(json.dumps(COMMANDS))})"))
    assert found.content == COMMANDS


async def test_a_command_gets_no_secrets_of_slipway_and_its_own_are_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLIPWAY_DISCORD__TOKEN", "the-bots-own")
    code = "import os; print([os.environ.get(n, '') for n in ('SLIPWAY_DISCORD__TOKEN', 'GREETER', 'PATH')])"
    given = {"GREETER": Secret("of-the-greeter")}
    with pytest.raises(ManifestUnavailable) as said:
        await manifests().read(program(code, env=given))
    assert "the-bots-own" not in str(said.value) and "of-the-greeter" not in str(said.value)
    code = code.replace("print(", "import json; print(json.dumps(").replace("PATH')])", "PATH')]))")
    found = await manifests().read(program(code, env=given))
    assert found.content == ["", "of-the-greeter", os.environ["PATH"]]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import time; time.sleep(30)", "did not finish within 0.5 s"),
        ("import sys; sys.exit('no such bot')", "exited with code 1: no such bot"),
        ("print('x' * 3_000_000)", "is larger than 1024 KiB"),
        ("print('hello')", "is not JSON"),
        ("import sys; sys.stdout.buffer.write(bytes([255, 254]))", "not UTF-8"),
        ("print('[NaN]')", "is not JSON"),
        ("print('[' * 100000)", "is not JSON"),
    ],
)
async def test_a_command_that_does_not_print_a_manifest_is_a_sentence(code: str, said: str) -> None:
    with pytest.raises(ManifestUnavailable, match=said):
        await manifests().read(program(code, timeout="500ms" if "sleep" in code else "30s"))


async def test_a_missing_program_or_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ManifestUnavailable, match="cannot be started"):
        await manifests().read(application(kind="command", command=("/no/such",), cwd="/", timeout="1s"))
    with pytest.raises(ManifestUnavailable, match="cannot be read"):
        await manifests().read(application(kind="file", path=str(tmp_path / "none.json")))


async def test_an_artifact_is_a_file_of_the_newest_release_and_stays_in_its_folder(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "commands.json").write_text(json.dumps([{"name": f"v{version[2]}"}]))
    settings = DirectorySettings[ProcessSpecSettings](
        kind="directory", path=tmp_path, spec={"command": ["x"]}
    )
    releases = {"bot": ReleasesConfig(settings)}
    source = {"kind": "artifact", "service": "bot", "folder": str(tmp_path)}

    found = await manifests(releases).read(application(path="commands.json", **source))

    assert (found.content, found.where) == ([{"name": "v1"}], "commands.json of bot 1.10.0")
    with pytest.raises(ManifestUnavailable, match="outside the folder"):
        await manifests(releases).read(application(path="../1.9.0/commands.json", **source))
