"""One real PostgreSQL for each worker, and a fresh database with the schema for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.docker import DockerEngine, docker_engine
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.swarm import Swarm, docker_swarm


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Shared by all tests of a worker: to stop it, bring one of your own."""
    with postgres_server() as server:
        yield server


@pytest.fixture
async def dsn(postgres: PostgresServer) -> AsyncIterator[str]:
    """Of a database of this test's own, dropped afterwards."""
    name = await postgres.fresh()
    yield postgres.dsn(name)
    await postgres.drop(name)


@pytest.fixture(scope="session")
def docker() -> Iterator[DockerEngine]:
    """A Docker Engine for all tests of a worker. A test that stops its engine brings its own."""
    with docker_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def swarm() -> Iterator[Swarm]:
    """A swarm of one node for all tests of a worker. A test that harms it brings its own."""
    with docker_swarm() as found:
        yield found
