"""From the catalog's words to adapters, and what a reload does to them, on a real host."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bot.adapters.metrics.probe import ProbeMetrics
from bot.adapters.metrics.router import RouterMetrics
from bot.adapters.metrics.scrape import ScrapeMetrics
from bot.composition import adapters
from bot.composition.adapters import Targets
from bot.domain.rollout.model import Lane
from bot.ports.errors import Unreachable
from demo.children import free_port
from tests.support.catalog_files import changed, load, reloader, write

STAGING = Lane("checkout", "staging")

SOURCES = """\
metrics:
  router: {kind: router}
  probe: {kind: probe, path: /ready, timeout: 500ms}
  own:
    kind: scrape
    url: "{address}/metrics"
    total: http_requests_total
    bad: {metric: http_requests_total, labels: {status: "5*"}}
    latency: http_request_duration_seconds
    extra:
      orders: {total: orders_total, bad: failed_orders_total}
"""


def text(staging: int, *more: tuple[str, str]) -> str:
    ports = (("router: 8401", f"router: {staging}"), ('"0.0.0.0:8402"', str(free_port())))
    return changed(*ports, ("metrics:\n  router: {kind: router}\n", SOURCES), *more)


@pytest.fixture
async def targets(tmp_path: Path) -> AsyncIterator[Targets]:
    """Targets of a catalog in `tmp_path/config`; their host is gone afterwards."""
    catalog = load(write(tmp_path / "config", all=text(free_port())))
    targets = adapters.make_targets(catalog, tmp_path)
    yield targets
    await targets["local"].stop_host()


async def test_a_reload_moves_a_router_and_adds_a_target(targets: Targets, tmp_path: Path) -> None:
    await targets["local"].configure()
    port = free_port()
    new = (
        "  local: {kind: process, users: host}",
        "  local: {kind: process, users: host}\n  second: {kind: process, users: host}",
    )
    moved = ("environments:\n      staging: {", "environments:\n      staging: {target: second, ")
    catalog = load(write(tmp_path / "config", all=text(port, new, moved)))
    await targets.reload(catalog)
    assert await targets["second"].router_address(STAGING) == f"http://127.0.0.1:{port}"


async def test_a_reload_moves_the_metrics_of_the_host(targets: Targets, tmp_path: Path) -> None:
    await targets["local"].configure()
    assert (await targets["local"].describe())["metrics"] is None
    port = free_port()
    listens = (
        "local: {kind: process, users: host}",
        f"local: {{kind: process, users: host, metrics: {port}}}",
    )
    await targets.reload(load(write(tmp_path / "config", all=text(free_port(), listens))))
    assert (await targets["local"].describe())["metrics"] == ["127.0.0.1", port]


async def test_metric_sources_follow_the_present_catalog(tmp_path: Path) -> None:
    holder = reloader(write(tmp_path / "config", all=text(free_port())))
    targets = adapters.make_targets(holder.current, tmp_path, start=False)
    async with aiohttp.ClientSession() as session:
        sources = adapters.make_metrics(lambda: holder.current, targets, session)
        kinds = {name: type(source) for name, source in sources.items()}
        assert kinds == {"router": RouterMetrics, "probe": ProbeMetrics, "own": ScrapeMetrics}
        assert {name: source.name for name, source in sources.items()} == {n: n for n in kinds}
        before = sources["probe"]
        assert sources["probe"] is before
        write(tmp_path / "config", all=text(free_port(), ("path: /ready", "path: /other")))
        assert holder.reload().changed
        assert sources["probe"] is not before
        assert "gone" not in sources


async def test_a_lane_that_the_catalog_does_not_have_is_unreachable(tmp_path: Path) -> None:
    catalog = load(write(tmp_path / "config", all=text(free_port())))
    targets = adapters.make_targets(catalog, tmp_path, start=False)
    with pytest.raises(Unreachable, match="has no target"):
        await adapters.TargetOfLane(lambda: catalog, targets).observe(Lane("nothing", "nowhere"))
