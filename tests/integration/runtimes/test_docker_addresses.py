"""Engines elsewhere: through OpenSSH, and over TLS with a certificate on both sides."""

from __future__ import annotations

import asyncio
import getpass
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from bot.domain.rollout.model import RunState
from bot.ports.errors import Unreachable
from demo.forwarding import pass_on
from tests.support.docker import DockerEngine
from tests.support.runtimes import LANE, DockerKit, DockerWorld, answer
from tests.support.ssh import SshServer, ssh_server
from tests.support.waiting import until

pytestmark = pytest.mark.real


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SshServer]:
    found = ssh_server(tmp_path / "ssh")
    monkeypatch.setenv("PATH", str(found.client()), prepend=":")
    await found.start()
    yield found
    found.stop()


async def test_engine_behind_ssh_runs_releases_also_after_the_connection_broke(
    docker: DockerEngine, server: SshServer, tmp_path: Path
) -> None:
    kit = DockerKit(docker, tmp_path / "kit")
    runtime = kit.make(engine=f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}{docker.socket}")
    await runtime.start(lambda lane: None)
    on = DockerWorld(kit, runtime)
    first = await on.ready(kit.release("1.0"))
    assert await answer(first.instances[0]) == "1.0"
    forwarded = runtime.engine._forwarded
    assert forwarded is not None and forwarded._process is not None
    forwarded._process.kill()
    second = kit.release("1.1")
    runtime.run(LANE, second, restart=False)

    async def ready() -> bool:
        try:
            seen = (await runtime.observe()).get(LANE, {}).get(second.digest)
        except Unreachable:
            return False
        return seen is not None and seen.state is RunState.READY

    await until(ready)
    await runtime.close()
    assert not docker.containers()


async def test_ssh_that_is_refused_is_said_in_its_words(
    docker: DockerEngine, server: SshServer, tmp_path: Path
) -> None:
    (server.folder / "authorized_keys").write_text("")
    runtime = DockerKit(docker, tmp_path / "kit").make(engine=f"ssh://127.0.0.1:{server.port}")
    with pytest.raises(Unreachable, match=r"cannot be reached: ssh: .*Permission denied"):
        await runtime.start(lambda lane: None)


@asynccontextmanager
async def tls_front(engine: DockerEngine, folder: Path) -> AsyncIterator[int]:
    """The engine over TLS, for clients with a certificate of the authority in `folder`; its port."""
    subject = ("-subj", "/CN=127.0.0.1", "-days", "2")
    new = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    ca, ca_key = str(folder / "ca.pem"), str(folder / "ca.key")
    run(*new, "-x509", *subject, "-keyout", ca_key, "-out", ca)
    for name in ("server", "client"):
        extra = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE")
        pair = ("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"))
        run(*new, "-x509", *subject, *extra, "-CA", ca, "-CAkey", ca_key, *pair)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back = await asyncio.open_unix_connection(str(engine.socket))
        with closing(writer), closing(back[1]):
            await pass_on((reader, writer), back)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def test_engine_over_tls_takes_this_client_and_is_checked_itself(
    docker: DockerEngine, tmp_path: Path
) -> None:
    kit = DockerKit(docker, tmp_path)
    async with tls_front(docker, tmp_path) as port:
        mine = {
            name: str(tmp_path / f"{stem}") for name, stem in (("cert", "client.pem"), ("key", "client.key"))
        }
        engine = f"tcp://127.0.0.1:{port}"
        runtime = kit.make(engine=engine, tls={"ca": str(tmp_path / "ca.pem"), **mine})
        await runtime.start(lambda lane: None)
        seen = await DockerWorld(kit, runtime).ready(kit.release("1.0"))
        assert await answer(seen.instances[0]) == "1.0"
        await runtime.close()
        stranger = kit.make("two", engine=engine, tls={"ca": str(tmp_path / "client.pem"), **mine})
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await stranger.start(lambda lane: None)
