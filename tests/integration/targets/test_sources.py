"""Metric sources and checks over real HTTP."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import NoReturn

import aiohttp
import pytest
from aiohttp import web

from bot.adapters.metrics.probe import ProbeMetrics
from bot.adapters.metrics.router import RouterMetrics
from bot.adapters.metrics.rules import ScrapeRules, Selector, ShareRule, metric_names
from bot.adapters.metrics.scrape import ScrapeMetrics
from bot.adapters.targets.checker import HttpChecker
from bot.adapters.targets.hosted.target import HostedTarget
from bot.domain.judge import judge
from bot.domain.judge.evidence.ticks import Counts, EvidenceState, Sample, Signal, begin_evidence, difference
from bot.domain.rollout.model import Desired, Lane, Release
from bot.domain.rollout.steps import HttpCheck
from bot.ports.errors import Unreachable
from tests.fakes.target import FakeTarget
from tests.support.host import LANE, Users, release, settled
from tests.support.sampling import rollout, sampler
from tests.support.waiting import PATIENCE_S

ONE = Release("checkout", "1", "sha256:1")

RULES = ScrapeRules(
    total=Selector(metric="http_requests_total", labels={"version": "{version}"}),
    bad=Selector(metric="http_requests_total", labels={"version": "{version}", "code": "5*"}),
    latency=Selector(metric="http_seconds", labels={"version": "{version}"}),
)

TEXT = """
# TYPE http_requests counter
http_requests_total{version="1",code="200"} 90
http_requests_total{version="1",code="404"} 4
http_requests_total{version="1",code="500"} 5
http_requests_total{version="1",code="503"} 1
http_requests_total{version="2",code="500"} 7
# TYPE http_seconds histogram
http_seconds_bucket{version="1",le="0.5"} 80
http_seconds_bucket{version="1",le="2"} 98
http_seconds_bucket{version="1",le="+Inf"} 100
http_seconds_sum{version="1"} 12
http_seconds_count{version="1"} 100
"""

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Endpoint:
    """A real HTTP server with answers set by tests."""

    def __init__(self) -> None:
        self.text = TEXT
        self.answer: Answer | None = None
        self.asked: list[str] = []
        self.address = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        return await self.answer(request) if self.answer else web.Response(text=self.text)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    made = Endpoint()
    runner = web.ServerRunner(web.Server(made.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class ScrapedTarget(FakeTarget):
    """One release that runs, in instances at the given addresses."""

    def __init__(self, instances: Mapping[str, str]) -> None:
        super().__init__()
        self.instances = instances

    async def addresses(self, lane: Lane, digest: str) -> Mapping[str, str]:
        if self.away:
            raise Unreachable("The target is away.")
        return self.instances


@pytest.fixture
async def running(endpoint: Endpoint) -> ScrapedTarget:
    target = ScrapedTarget({"0.abc": endpoint.address})
    await target.apply(LANE, Desired(1, ONE))
    return target


async def scrape(
    endpoint: Endpoint,
    running: ScrapedTarget,
    session: aiohttp.ClientSession,
    rules: ScrapeRules = RULES,
    url: str = "{address}/metrics",
    timeout_s: float = PATIENCE_S,
) -> Sample:
    source = ScrapeMetrics("prom", url, rules, running, session, timeout_s=timeout_s)
    (sample,) = await source.sample(LANE, [ONE.digest])
    return sample


async def test_scrape_adds_up_what_matches(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    sample = await scrape(endpoint, running, session)

    (found,) = sample.readings
    assert sample.error is None and sample.release == ONE.digest
    assert (found.instance, found.total, found.bad) == ("0.abc", 100, 6)
    assert found.buckets == ((0.5, 80), (2.0, 98), (float("inf"), 100))
    assert endpoint.asked == ["/metrics"]


async def test_scrape_reads_every_instance(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    running.instances = {"0.abc": endpoint.address, "1.def": endpoint.address}
    sample = await scrape(endpoint, running, session)
    assert [r.instance for r in sample.readings] == ["0.abc", "1.def"]


async def test_scrape_of_one_endpoint_for_all_tells_instances_by_label(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    endpoint.text = """
# TYPE r counter
r_total{version="1",pod="a",ok="yes"} 5
r_total{version="1",pod="b",ok="yes"} 6
r_total{version="1",pod="b",ok="no"} 2
"""
    rules = ScrapeRules(
        total=Selector(metric="r_total", labels={"version": "{version}"}),
        bad=Selector(metric="r_total", labels={"version": "{version}", "ok": "!yes"}),
        extra={"odd": ShareRule(total="r_total", bad=Selector(metric="r_total", labels={"pod": "a"}))},
        instance_label="pod",
    )
    sample = await scrape(endpoint, running, session, rules, endpoint.address + "/{service}/{version}")
    assert [(r.instance, r.total, r.bad) for r in sample.readings] == [("a", 5, 0), ("b", 8, 2)]
    assert sample.readings[0].extra == (("odd", (5, 5)),)
    assert endpoint.asked == ["/checkout/1"]


async def test_release_without_any_request_yet_is_no_data_and_no_error(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    endpoint.text = '# TYPE http_requests counter\nhttp_requests_total{version="0",code="200"} 9\n'
    sample = await scrape(endpoint, running, session)
    assert sample.error is None and sample.readings == ()


async def test_release_that_does_not_run_is_no_data(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    source = ScrapeMetrics("prom", "{address}/metrics", RULES, running, session)
    (sample,) = await source.sample(LANE, ["sha256:other"])
    assert sample.error is None and sample.readings == () and endpoint.asked == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no metric http_requests_total"),
        ("# TYPE other counter\nother_total 1\n", "no metric http_requests_total"),
        ('http_requests_total{version="1"} 5\n', "no histogram http_seconds"),
        ("<html>hello</html>", "not Prometheus text"),
        (
            '# TYPE http_requests counter\nhttp_requests_total{version="1"} NaN\n',
            "no histogram|impossible",
        ),
        ("x" * (6 * 1024 * 1024), "more than 5 MB"),
    ],
)
async def test_endpoint_that_cannot_be_used_is_an_error_in_a_sentence(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession, text: str, says: str
) -> None:
    endpoint.text = text
    sample = await scrape(endpoint, running, session)
    assert sample.error is not None and sample.readings == ()
    assert any(part in sample.error for part in says.split("|")), sample.error


async def test_scrape_follows_no_redirect_waits_not_long_and_names_the_status(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    async def redirect(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    async def hang(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    endpoint.answer = redirect
    assert "answered 302" in str((await scrape(endpoint, running, session)).error)
    endpoint.answer = hang
    assert "took longer than 0.5 s" in str((await scrape(endpoint, running, session, timeout_s=0.5)).error)
    running.instances = {"0": "http://127.0.0.1:1"}
    assert "failed: ClientConnectorError" in str((await scrape(endpoint, running, session)).error)
    running.away = True
    assert "The target is away." in str((await scrape(endpoint, running, session)).error)


def test_doctor_can_ask_which_metrics_are_read() -> None:
    assert metric_names(RULES) == ["http_requests_total", "http_seconds"]


async def test_probe_counts_good_and_bad_looks(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    status = [200, 503, 200]

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status.pop(0))

    endpoint.answer = answer
    source = ProbeMetrics(running, session, timeout_s=PATIENCE_S)
    found = []
    for _ in range(3):
        (sample,) = await source.sample(LANE, [ONE.digest])
        found += sample.readings
    assert (source.name, [(r.instance, r.total, r.bad) for r in found]) == (
        "probe",
        [("0.abc", 1, 0), ("0.abc", 1, 1), ("0.abc", 1, 0)],
    )
    assert found[0].buckets[-1] == (10.0, 1)
    assert all(reading.delta for reading in found)


async def test_an_instance_that_refuses_or_hangs_is_bad_and_not_unreadable(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    async def hang(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    endpoint.answer = hang
    running.instances = {"hung": endpoint.address, "refused": "http://127.0.0.1:1"}
    policy = judge.JudgePolicy((judge.Objective("errors", "errors", 0.1),), settle_s=0.0)
    # As it is configured: the sampler waits longer than the probe does.
    looker = sampler(running, alive=ProbeMetrics(running, session, name="alive"))
    look = await looker.look(rollout(policy), begin_evidence(), 100.0)
    assert look.tick.errors == ()
    assert look.tick.candidate["errors"] == Counts(2, 2)


async def test_what_keeps_this_machine_from_asking_says_nothing_about_an_instance(
    running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    class Exhausted(aiohttp.TCPConnector):
        async def connect(self, *args: object, **more: object) -> NoReturn:
            raise OSError(errno.EMFILE, "Too many open files")

    async with aiohttp.ClientSession(connector=Exhausted()) as exhausted:
        (sample,) = await ProbeMetrics(running, exhausted).sample(LANE, [ONE.digest])
    running.instances = {"0.abc": "nowhere"}
    (astray,) = await ProbeMetrics(running, session).sample(LANE, [ONE.digest])
    assert sample.error == "probe: this machine cannot connect: Too many open files"
    assert "is no address" in str(astray.error)


async def test_leaders_that_take_turns_count_what_was_probed(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    asked = 0

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.Response(status=503 if asked in (30, 110) else 200)

    endpoint.answer = answer
    leaders = [ProbeMetrics(running, session, timeout_s=PATIENCE_S) for _ in range(3)]
    policy = judge.JudgePolicy((judge.Objective("errors", "errors", 0.1),), settle_s=0.0)
    state, total, bad = begin_evidence(), 0, 0
    for number in range(160):
        (sample,) = await leaders[number // 7 % 3].sample(LANE, [ONE.digest])
        state = EvidenceState.from_json(json.loads(json.dumps(state.to_json())))
        state, tick = difference(state, policy, 5.0 * number, sample, None)
        total, bad = total + tick.candidate["errors"].total, bad + tick.candidate["errors"].bad
    assert (total, bad, asked) == (160, 2, 160)


@pytest.mark.parametrize(
    ("status", "body", "bad", "detail"),
    [
        (200, '{"discord": {"state": "Connected"}}', False, ""),
        (200, '{"discord": {"state": true}}', False, ""),
        (503, '{"discord": {"state": "connecting"}}', True, "discord.state is connecting"),
        (503, '{"discord": {"state": false}}', True, "discord.state is false"),
        (200, '{"discord": {"state": 4}}', None, "discord.state is neither true, false nor a word"),
        (200, '{"discord": "ok"}', None, "the answer is not JSON with discord.state"),
        (200, "all is well", None, "the answer is not JSON with discord.state"),
        (200, "[" * 60_000, None, "the answer is not JSON with discord.state"),
    ],
)
async def test_probe_reads_the_gateway_from_the_answer(
    endpoint: Endpoint,
    running: ScrapedTarget,
    session: aiohttp.ClientSession,
    status: int,
    body: str,
    bad: bool | None,
    detail: str,
) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        said = web.StreamResponse(status=status)
        await said.prepare(request)
        for part in (body[:9], body[9:]):  # as it may come
            await said.write(part.encode())
            await asyncio.sleep(0.01)
        return said

    endpoint.answer = answer
    source = ProbeMetrics(running, session, timeout_s=PATIENCE_S, gateway="discord.state")
    (sample,) = await source.sample(LANE, [ONE.digest])
    assert dict(sample.signals) == {"gateway": Signal(bad, detail)}
    assert (sample.readings[0].total, sample.readings[0].bad) == (1, int(status == 503))


async def test_a_bot_that_does_not_answer_is_not_connected_and_one_bad_instance_is_enough(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    endpoint.text = '{"status": "ok"}'
    running.instances = {"a": endpoint.address, "b": "http://127.0.0.1:1"}
    (sample,) = await ProbeMetrics(running, session, gateway="status").sample(LANE, [ONE.digest])
    assert dict(sample.signals) == {"gateway": Signal(True, "no answer")}
    running.instances = {}
    (sample,) = await ProbeMetrics(running, session, gateway="status").sample(LANE, [ONE.digest])
    assert sample.signals == ()


async def test_a_gateway_that_stays_disconnected_fails_the_rollout(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    policy = judge.JudgePolicy(rules=(judge.parse_rule("gateway disconnected for 10s"),), min_requests=3)
    looker = sampler(running, alive=ProbeMetrics(running, session, name="alive", gateway="status"))
    served, outcomes = rollout(policy), {}
    served = replace(served, confirmed=served.generation)
    for word in ("ok", "connecting"):
        endpoint.text = json.dumps({"status": word})
        evidence, state = begin_evidence(), judge.begin_soak(judge.begin(policy), 100.0)
        for number in range(5):
            look = await looker.look(served, evidence, 100.0 + 5 * number)
            evidence, state = look.evidence, judge.advance(state, policy, look.tick)
        outcomes[word] = judge.verdict(state, policy, soak_required_s=20.0).outcome
    assert outcomes == {"ok": judge.Outcome.PASS, "connecting": judge.Outcome.FAIL}


async def test_probe_of_another_instance_is_its_own_and_no_instance_is_no_data(
    endpoint: Endpoint, running: ScrapedTarget, session: aiohttp.ClientSession
) -> None:
    source = ProbeMetrics(running, session)
    await source.sample(LANE, [ONE.digest])
    running.instances = {"0.def": endpoint.address}
    (sample,) = await source.sample(LANE, [ONE.digest])
    assert [(r.instance, r.total) for r in sample.readings] == [("0.def", 1)]
    running.instances = {}
    (sample,) = await source.sample(LANE, [ONE.digest])
    assert sample.readings == () and sample.error is None
    running.away = True
    (sample,) = await source.sample(LANE, [ONE.digest])
    assert "The target is away." in str(sample.error)


async def test_real_release_can_be_scraped_probed_and_counted(
    target: HostedTarget, users: Users, session: aiohttp.ClientSession
) -> None:
    one = release("1")
    await target.apply(LANE, Desired(1, one))
    await settled(target, {"1": 100})
    await users.ask(4)
    rules = ScrapeRules(
        total=Selector(metric="seen_total"), bad=Selector(metric="seen_total", labels={"outcome": "error"})
    )

    (scraped,) = await ScrapeMetrics("prom", "{address}/metrics", rules, target, session).sample(
        LANE, [one.digest]
    )
    (probed,) = await ProbeMetrics(target, session).sample(LANE, [one.digest])
    counted, unknown = await RouterMetrics(target).sample(LANE, [one.digest, "sha256:unknown"])

    assert [(r.total, r.bad) for r in scraped.readings] == [(4, 0)]
    assert [(r.total, r.bad) for r in probed.readings] == [(1, 0)]
    assert [(r.total, r.bad) for r in counted.readings] == [(4, 0)]
    assert unknown.readings == () and unknown.error is None
    # An instance has one name at all sources that see its process.
    assert scraped.readings[0].instance == probed.readings[0].instance


async def test_lane_without_router_cannot_be_counted_at_the_router(target: HostedTarget) -> None:
    (sample,) = await RouterMetrics(target).sample(Lane("missing", "nowhere"), ["x"])
    assert sample.error == "missing/nowhere has no router on this host"


async def test_check_passes_or_says_what_was_expected_and_what_came(
    endpoint: Endpoint, session: aiohttp.ClientSession
) -> None:
    checker = HttpChecker(session)
    endpoint.text = "all is well"

    assert await checker.check(endpoint.address, HttpCheck("/healthz")) is None
    assert await checker.check(endpoint.address + "/", HttpCheck("/x", contains="is well")) is None
    said = await checker.check(endpoint.address, HttpCheck("/x", contains="bad"))
    assert said == "GET /x should contain “bad”, but does not."
    said = await checker.check(endpoint.address, HttpCheck("/x", status=204))
    assert said == "GET /x should answer 204, but answered 200."
    said = await checker.check("http://127.0.0.1:1", HttpCheck("/x"))
    assert said == "GET /x should answer 200, but the request failed: the connection was refused."


async def test_check_of_something_that_hangs_or_hangs_up_ends(
    endpoint: Endpoint, session: aiohttp.ClientSession
) -> None:
    async def hang(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async def hang_up(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    checker = HttpChecker(session)
    endpoint.answer = hang
    said = await checker.check(endpoint.address, HttpCheck("/x", timeout_s=0.2))
    assert said == "GET /x should answer 200 within 0.2 s, but did not answer."
    endpoint.answer = hang_up
    said = await checker.check(endpoint.address, HttpCheck("/x"))
    assert said is not None and "closed without an answer" in said
    endpoint.answer = endless
    said = await checker.check(endpoint.address, HttpCheck("/x", contains="y", timeout_s=5))
    assert said is not None and "first 1024 KB" in said
