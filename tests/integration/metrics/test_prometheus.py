"""The sources `prometheus` and `alerts` beside a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web

from bot.adapters.metrics.context import MetricContext
from bot.adapters.metrics.prometheus import api
from bot.adapters.metrics.prometheus.alerts import make_alerts
from bot.adapters.metrics.prometheus.counters import make_prometheus
from bot.adapters.metrics.prometheus.settings import AlertsSettings, PrometheusSettings
from bot.domain.judge.evidence.counters import Signal
from bot.domain.judge.evidence.ticks import Sample
from bot.domain.rollout.model import Desired, Lane, Release
from tests.fakes.target import FakeTarget
from tests.support import prometheus
from tests.support.catalog_files import changed, check, line_of, reloader, write
from tests.support.prometheus import Exporter, Program
from tests.support.waiting import PATIENCE_S, until

pytestmark = pytest.mark.real

T = TypeVar("T")
Buckets = tuple[tuple[float, int], ...]

LANE, OTHER = Lane("checkout", "production"), Lane("search", "production")
ONE, TWO = Release("checkout", "1.4.0", "sha256:1"), Release("checkout", "1.5.0", "sha256:2")

TEXT = """\
# TYPE http_requests_total counter
http_requests_total{service="checkout",environment="production",version="1.4.0",instance="a",code="200"} 90
http_requests_total{service="checkout",environment="production",version="1.4.0",instance="a",code="500"} 4
http_requests_total{service="checkout",environment="production",version="1.4.0",instance="b",code="200"} 50
http_requests_total{service="checkout",environment="production",version="1.5.0",instance="c",code="503"} 7
http_requests_total{service="checkout",environment="staging",version="1.5.0",instance="s",code="500"} 70
# TYPE http_seconds histogram
http_seconds_bucket{service="checkout",environment="production",version="1.4.0",instance="a",le="0.5"} 80
http_seconds_bucket{service="checkout",environment="production",version="1.4.0",instance="a",le="2"} 92
http_seconds_bucket{service="checkout",environment="production",version="1.4.0",instance="a",le="+Inf"} 94
"""
RULES = """\
groups:
- name: g
  rules:
  - alert: CheckoutBurns
    expr: burns > 0
    labels: {severity: critical}
  - alert: DiskFillsUp
    expr: fills > 0
    labels: {severity: warning}
"""


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    made = Exporter()
    yield made
    made.close()


@pytest.fixture(scope="module")
def servers(
    exporter: Exporter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Program, Program]]:
    """Prometheus with rules that send alerts, and the Alertmanager that gets them."""
    folder = tmp_path_factory.mktemp("prometheus")
    try:
        manager = prometheus.alertmanager(folder / "alertmanager")
        server = prometheus.prometheus(folder / "server", exporter, rules=RULES, alertmanager=manager)
    except LookupError as missing:
        pytest.skip(str(missing))
    with prometheus.running(manager), prometheus.running(server):
        yield server, manager


@pytest.fixture
def scraped(exporter: Exporter, servers: tuple[Program, Program]) -> Callable[[str], Any]:
    """Sets what is scraped, and waits until `query` finds it or no longer does."""

    async def set_text(text: str, query: str = "http_requests_total", *, found: bool = True) -> None:
        exporter.text = text
        await until(
            lambda: asyncio.to_thread(_query, servers[0].url, query),
            lambda answer: bool(answer) is found,
            every_s=0.1,
        )

    return set_text


def _query(url: str, query: str) -> list[Any]:
    asked = urllib.request.Request(f"{url}/api/v1/query", data=f"query={query}".encode())
    with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


@dataclass
class Sources:
    """Makes sources over one session and a target that runs both releases."""

    session: aiohttp.ClientSession
    context: MetricContext

    def counters(self, url: str, **more: object) -> Any:
        written = {
            "kind": "prometheus",
            "url": url,
            "total": "http_requests_total",
            "bad": 'http_requests_total{code=~"5.."}',
            "timeout": "30s",
            **more,
        }
        return make_prometheus("prom", PrometheusSettings.model_validate(written), self.context)

    def alerts(self, url: str, **more: object) -> Any:
        written = {"kind": "alerts", "url": url, "every": "100ms", "timeout": "30s", **more}
        settings = AlertsSettings.model_validate(written)
        return make_alerts("pages", settings, self.context)


@pytest.fixture
async def sources() -> AsyncIterator[Sources]:
    target = FakeTarget()
    for lane in (LANE, OTHER):
        await target.apply(lane, Desired(1, ONE, TWO, 5))
    async with aiohttp.ClientSession() as session:
        yield Sources(session, MetricContext(target, session))  # type: ignore[arg-type]


async def one(source: Any, release: Release = ONE, lane: Lane = LANE) -> Sample:
    found: Sample = (await source.sample(lane, [release.digest]))[0]
    return found


async def told(ask: Callable[[], Awaitable[T]], expected: T) -> None:
    """Until the answer is as expected: a scrape that is answered too late ends every series until the next."""
    await until(ask, lambda found: found == expected, every_s=0.2)


async def test_counters_of_each_instance_are_read_by_release(
    sources: Sources, scraped: Any, servers: tuple[Program, Program]
) -> None:
    await scraped(TEXT)
    source = sources.counters(servers[0].url, latency="http_seconds", every="100ms")

    async def read() -> list[tuple[str, int, int, Buckets]]:
        samples = await source.sample(LANE, [ONE.digest, TWO.digest])
        assert all(sample.error is None for sample in samples)
        return [(r.instance, r.total, r.bad, r.buckets) for sample in samples for r in sample.readings]

    seconds = ((0.5, 80), (2.0, 92), (float("inf"), 94))
    await told(read, [("a", 94, 4, seconds), ("b", 50, 0, ()), ("c", 7, 7, ())])
    assert (await one(source, lane=OTHER)).readings == ()


async def test_promql_and_placeholders_are_sent_as_written(
    sources: Sources, scraped: Any, servers: tuple[Program, Program]
) -> None:
    await scraped(TEXT)
    source = sources.counters(
        servers[0].url,
        total='sum by (version) (http_requests_total{service="{service}", environment="{environment}"})',
        bad='sum by (version) (http_requests_total{service="{service}", environment="{environment}", code="500"})',
        labels={"version": "{version}"},
        extra={"writes": {"total": "http_requests_total", "bad": 'http_requests_total{code="503"}'}},
        every="100ms",
    )

    async def counted() -> list[tuple[str, int, int]]:
        return [(r.instance, r.total, r.bad) for r in (await one(source)).readings if r.total]

    async def writes() -> list[tuple[int, int]]:
        found = await one(source, TWO)
        return [dict(r.extra)["writes"] for r in found.readings if r.instance == "c"]

    await told(counted, [("all", 144, 4)])
    await told(writes, [(7, 7)])


async def test_a_native_histogram_is_read_at_the_limits(
    sources: Sources, scraped: Any, exporter: Exporter, servers: tuple[Program, Program]
) -> None:
    labels = {"service": "checkout", "environment": "production", "version": "1.4.0", "instance": "a"}
    # Schema 0: bucket 0 ends at 1 s, 1 at 2 s, 2 at 4 s.
    exporter.native = prometheus.native_histogram("native_seconds", labels, 0, {0: 60, 1: 20, 2: 14})
    await scraped(TEXT, "native_seconds")
    source = sources.counters(
        servers[0].url,
        latency="native_seconds",
        native_histogram=True,
        buckets=[1, 2.8284271, 4],
        every="100ms",
    )

    async def read() -> list[Buckets]:
        found = await one(source)
        assert found.error is None
        return [r.buckets for r in found.readings if r.instance == "a"]

    await told(read, [((1.0, 60), (2.8284271, 87), (4.0, 94))])


async def test_lanes_share_the_answer_to_one_query_for_each_objective(
    sources: Sources, scraped: Any, servers: tuple[Program, Program]
) -> None:
    await scraped(TEXT)
    asked: list[str] = []

    async def passed_on(request: web.Request) -> web.Response:
        body = await request.text()
        asked.append(body)
        async with sources.session.post(
            servers[0].url + request.path, data=body, headers={"Content-Type": request.content_type}
        ) as answer:
            return web.Response(
                body=await answer.read(), status=answer.status, content_type="application/json"
            )

    async with serving(passed_on) as url:
        source = sources.counters(url, latency="http_seconds", every="30s")
        lanes = [Lane("checkout", f"region-{n}") for n in range(50)]
        found = await asyncio.gather(*(one(source, lane=lane) for lane in [LANE, *lanes]))
    assert {sample.error for sample in found} == {None}
    assert len(asked) == 4  # total, bad, latency, age


async def test_series_that_are_gone_are_no_data(
    sources: Sources, scraped: Any, servers: tuple[Program, Program]
) -> None:
    await scraped(TEXT)
    await scraped("", "http_requests_total", found=False)
    gone = await one(sources.counters(servers[0].url))
    assert gone.error is None and gone.readings == ()


async def test_samples_that_are_too_old_are_an_error(
    sources: Sources, scraped: Any, servers: tuple[Program, Program]
) -> None:
    # A sample with a time of its own: the newest there is, and not marked as stale.
    labels = 'service="checkout",environment="production",version="1.4.0",instance="a"'
    await scraped(f"old_total{{{labels}}} 9 {int((time.time() - 90) * 1000)}\n", "old_total")
    queries = {"total": "old_total", "bad": "old_total"}
    old = await one(sources.counters(servers[0].url, **queries))
    assert old.error is not None
    assert re.fullmatch(
        r"prom: the newest sample of 1\.4\.0 is (9\d|1[0-7]\d) s old; is it scraped\?", old.error
    )
    assert (await one(sources.counters(servers[0].url, stale="3m", **queries))).readings


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"total": "sum by ("}, "it cannot carry out the query for total: "),
        ({"total": "scalar(vector(1))"}, "the query gives a scalar, not one value for each series"),
        ({"bad": "http_requests_total * NaN"}, "the query for bad gives nan"),
        ({"bad": "http_requests_total * -1"}, "which no counter can be"),
        ({"latency": "http_requests_total * 1"}, "gives neither a native histogram nor a label le"),
    ],
)
async def test_what_cannot_be_read_is_an_error_that_says_why(
    sources: Sources, scraped: Any, servers: tuple[Program, Program], more: dict[str, str], says: str
) -> None:
    await scraped(TEXT)
    source = sources.counters(servers[0].url, every="100ms", **more)
    found = await until(lambda: one(source), lambda sample: sample.error, every_s=0.2)
    assert found.readings == ()
    assert found.error is not None and found.error.startswith("prom: ") and says in found.error


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (200, '{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store x is away"]}',
         "the answer is incomplete: store x is away"),
        (200, '{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}', "not an instant vector"),
        (200, "[]", "not an instant vector"),
        (200, "<html>", "it answered 200 without JSON"),
        (503, '{"status":"error","error":"query timed out"}', "it answered 503: query timed out"),
        (302, "", "it answered 302 without JSON"),
        (401, "", "it refuses the credentials (401)"),
    ],
)  # fmt: skip
async def test_answers_of_another_kind(sources: Sources, status: int, body: str, says: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body, headers={"Location": "/elsewhere"})

    async with serving(answer) as url:
        found = await one(sources.counters(url))
    assert found.error is not None and says in found.error


async def test_a_server_that_hangs_is_given_up_within_its_time_limit(sources: Sources) -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with serving(hang) as url:
        source = sources.counters(url, timeout="200ms")
        found = await one(source)
    assert found.error == "prom: no answer within 0.2 s"
    assert source.limit_s == pytest.approx(2.2)


async def test_a_server_with_certificate_and_password(
    sources: Sources, exporter: Exporter, tmp_path: Path, servers: tuple[Program, Program]
) -> None:
    server = prometheus.prometheus(tmp_path, exporter, certificate=True, password=True)
    with prometheus.running(server):
        credentials = {"user": prometheus.USER, "password": prometheus.PASSWORD}
        well = await one(sources.counters(server.url, ca=str(tmp_path / "cert.pem"), **credentials))
        untrusted = await one(sources.counters(server.url, **credentials))
        wrong = await one(
            sources.counters(
                server.url, ca=str(tmp_path / "cert.pem"), user=prometheus.USER, password="hunter-2"
            )
        )
        missing = await one(sources.counters(server.url, ca=str(tmp_path / "none.pem"), **credentials))
    assert well.error is None
    assert untrusted.error == "prom: its certificate is not trusted; see `ca`"
    assert wrong.error == "prom: it refuses the credentials (401)"
    assert missing.error == f"prom: {tmp_path}/none.pem is not a readable PEM file"


async def test_a_bearer_token_is_sent_and_never_shown(sources: Sources) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(status=403)

    async with serving(answer) as url:
        source = sources.counters(url, token="s3cret-token")
        found = await one(source)
    assert seen and set(seen) == {"Bearer s3cret-token"}
    assert "s3cret" not in f"{found!r}{source.__dict__!r}"


def test_queries_are_parsed_by_the_server_when_the_catalog_is_loaded(
    servers: tuple[Program, Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_PARSED_WITHIN_S", PATIENCE_S)
    written = {
        "kind": "prometheus",
        "url": servers[0].url,
        "total": "sum(",
        "bad": "http_requests_total",
        "timeout": "30s",
    }
    extra = {"orders": {"total": "orders_total", "bad": "rate(orders_total"}}
    settings = PrometheusSettings.model_validate({**written, "extra": extra})
    found = {problem.path: problem.sentence for problem in settings.examine()}
    assert list(found) == [("total",), ("extra", "orders", "bad")]
    assert f"the server at {servers[0].url} cannot parse it: " in found["total",]
    away = PrometheusSettings.model_validate({**written, "url": "http://127.0.0.1:9"})
    assert list(away.examine()) == []


@pytest.mark.parametrize("kind", ["prometheus", "alertmanager"])
async def test_alerts_of_the_lane_are_signals(
    sources: Sources, scraped: Any, servers: tuple[Program, Program], kind: str
) -> None:
    url = servers[0].url if kind == "prometheus" else servers[1].url
    source = sources.alerts(url, server=kind)
    labels = '{service="checkout",environment="production"}'
    await scraped(f"burns{labels} 1\nfills{labels} 0\n", 'ALERTS{alertstate="firing"}')

    async def signals() -> dict[str, Signal]:
        sample = await one(source)
        assert sample.error is None
        return dict(sample.signals)

    found = await until(signals, lambda found: found["alert"].bad, every_s=0.1)
    assert set(found) == {"alert", "alert:P1", "alert:P2"}
    assert found["alert:P1"].bad and found["alert:P1"].detail == "CheckoutBurns fires"
    assert found["alert:P1"].since == found["alert"].since
    assert found["alert:P2"].bad is False
    assert all(signal.bad is False for _, signal in (await one(source, lane=OTHER)).signals)


async def test_alerts_that_cannot_be_read_are_unknown(sources: Sources) -> None:
    found = await one(sources.alerts("http://127.0.0.1:9"))
    assert found.error is not None and "it cannot be reached" in found.error
    assert all(signal.bad is None for _, signal in found.signals)


class serving:  # noqa: N801
    """A server with one answer; its address."""

    def __init__(self, answer: Any) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *why: object) -> None:
        await self._runner.cleanup()


def test_a_catalog_with_a_query_that_the_server_cannot_parse_is_refused_with_its_line(
    servers: tuple[Program, Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_PARSED_WITHIN_S", PATIENCE_S)

    def text(bad: str) -> str:
        queries = f"total: a_total, bad: '{bad}', timeout: 30s"
        source = f"  router: {{kind: prometheus, url: '{servers[0].url}', {queries}}}"
        return changed(("  router: {kind: router}", source))

    folder = write(tmp_path / "catalog", main=text("b_total"))
    holder = reloader(folder)
    before = holder.current
    write(folder, main=text("b_total{"))
    assert check(folder)[1] == ()
    refused = holder.reload()
    assert holder.current is before
    (mistake,) = refused.errors
    assert mistake.key == "metrics.router.bad" and "cannot parse it" in mistake.sentence
    assert mistake.place.line == line_of(text("b_total{"), "b_total{")
