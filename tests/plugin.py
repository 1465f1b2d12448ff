"""pytest plugin for every test of the repository: no skips in CI, the same examples there each time, virtual time."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Generator, Mapping
from typing import Any

import coverage
import hypothesis
import pytest
from hypothesis.internal.conjecture import providers

# A busy machine is no reason for an example to fail.
hypothesis.settings.register_profile("slipway", deadline=None)
# For `make mutate`, which runs each test hundreds of times: few examples, the same each time, and no shrinking.
hypothesis.settings.register_profile(
    "mutation",
    deadline=None,
    max_examples=20,
    derandomize=True,
    database=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
hypothesis.settings.load_profile("slipway")

_constants_of_imported_modules = providers._get_local_constants


def _constants() -> providers.Constants:
    """Literals of modules that Hypothesis draws from: none where examples are to be the same each time, as in CI.

    Which modules are imported by then depends on what else a worker has run.
    """
    derandomized = hypothesis.settings.default.derandomize
    return providers.Constants() if derandomized else _constants_of_imported_modules()


providers._get_local_constants = _constants


def pytest_configure(config: pytest.Config) -> None:
    """Programs that tests start run as they run elsewhere.

    Coverage would triple the time of every start. A shell that runs the tests in the background has them ignore
    SIGINT, and what they start inherits that. The account of PostgreSQL is added before the workers start: two that
    add it at once leave a machine without it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    elif os.geteuid() == 0:
        from tests.support.postgres import add_account

        add_account()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files marked `long` begin before all others, so that none is the last one to run."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker saves its coverage before it says that it has finished: from then on it has ten seconds to end."""
    measuring = coverage.Coverage.current() if hasattr(session.config, "workerinput") else None
    if measuring is not None:
        measuring.stop()
        measuring.save()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """In CI a test that skips itself has failed: its Chromium, redis-server or fonts are missing."""
    report: pytest.TestReport = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI skips nothing: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Pauses coverage in tests marked `simulation`: the tracer triples their time and learns nothing new."""
    measuring = coverage.Coverage.current() if item.get_closest_marker("simulation") else None
    if measuring is None:
        return (yield)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `virtual_time` wait without waiting: their loop jumps to the next timer."""
    if item.get_closest_marker("virtual_time") is None:
        return {"real": asyncio.new_event_loop}
    from tests.support.virtual_time import VirtualLoop

    return {"virtual": VirtualLoop}
