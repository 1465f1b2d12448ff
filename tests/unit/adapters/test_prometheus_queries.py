"""PromQL of a Prometheus source, and readings in its answers."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from bot.adapters.metrics.prometheus.api import NativeHistogram, PrometheusSeries, UnreadableError
from bot.adapters.metrics.prometheus.queries import PrometheusQueries
from bot.adapters.metrics.prometheus.settings import AlertsSettings, PrometheusSettings
from bot.adapters.metrics.rules import RuleSubject
from bot.domain.rollout.model import Lane

SUBJECT = RuleSubject(Lane("checkout", "production"), "1.5.0", "sha256:2")
LABELS = {"app": "{service}", "env": "{environment}", "version": "{version}"}
MINE = {"app": "checkout", "env": "production", "version": "1.5.0"}


def queries(total: str = "requests_total", bad: str = "failed_total", **more: object) -> PrometheusQueries:
    return PrometheusQueries(total, bad, labels=LABELS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("requests_total", "sum by (app, env, version, instance) (requests_total)"),
        (' requests_total{code="a} b"} ', ' requests_total{code="a} b"} '),
        ('requests_total{code=~"5.."}', 'sum by (app, env, version, instance) (requests_total{code=~"5.."})'),
        ("a_total + b_total", "a_total + b_total"),
        ("sum by (version) (a_total)", "sum by (version) (a_total)"),
    ],
)
def test_a_selector_is_summed_up_by_release_and_instance_and_promql_is_sent_as_it_is(
    written: str, sent: str
) -> None:
    assert queries(written).templates()["total"] == sent


def test_a_classic_histogram_is_summed_up_by_its_bounds_and_a_native_one_as_it_is() -> None:
    by = "sum by (app, env, version, instance"
    classic = queries(latency='seconds{job="x"}').templates()["latency"]
    assert classic == f'{by}, le) (seconds_bucket{{job="x"}})'
    assert queries(latency="seconds", native=(1.0,)).templates()["latency"] == f"{by}) (seconds)"


def test_placeholders_are_filled_as_strings_of_promql() -> None:
    hostile = RuleSubject(Lane("checkout", "production"), '1"} or vector(1) #\\', "sha256:2")
    text = queries('x{v="{version}"}').texts(hostile)["total"]
    assert '{v="1\\"} or vector(1) #\\\\"}' in text
    assert queries().texts(SUBJECT) == queries().texts(hostile)


def test_readings_are_those_of_the_release_by_instance() -> None:
    answers = {
        "total": [
            PrometheusSeries({**MINE, "instance": "a"}, 90.0),
            PrometheusSeries({**MINE, "instance": "b"}, 9.6),
            PrometheusSeries({**MINE, "version": "1.4.0", "instance": "a"}, 5000.0),
            PrometheusSeries({"instance": "a"}, 7000.0),
        ],
        "bad": [PrometheusSeries({**MINE, "instance": "a"}, 4.0)],
        "latency": [
            PrometheusSeries({**MINE, "instance": "a", "le": "+Inf"}, 90.0),
            PrometheusSeries({**MINE, "instance": "a", "le": "0.5"}, 80.0),
        ],
        "extra/orders/total": [PrometheusSeries({**MINE, "instance": "a"}, 12.0)],
        "extra/orders/bad": [],
    }
    found = queries(extra={"orders": ("o", "f")}).readings(answers, SUBJECT, 60.0)
    assert [(r.instance, r.total, r.bad) for r in found] == [("a", 90, 4), ("b", 10, 0)]
    assert found[0].buckets == ((0.5, 80), (float("inf"), 90))
    assert [r.extra for r in found] == [(("orders", (12, 0)),), (("orders", (0, 0)),)]


def test_a_native_histogram_is_read_at_given_bounds() -> None:
    histogram = NativeHistogram(
        ((-0.001, 0.001, 5.0), (1.0, 2.0, 40.0), (2.0, 4.0, 8.0), (4.0, float("inf"), 3.0))
    )
    answers = {"latency": [PrometheusSeries(MINE, histogram)]}
    (found,) = queries(latency="seconds", native=(0.5, 1.0, 2.0**1.5, 8.0)).readings(answers, SUBJECT, 60.0)
    assert found.buckets == ((0.5, 5), (1.0, 5), (2.0**1.5, 49), (8.0, 53))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_value_that_no_counter_can_be_is_unreadable(value: float) -> None:
    with pytest.raises(UnreadableError, match="no counter can be"):
        queries().readings({"total": [PrometheusSeries(MINE, value)]}, SUBJECT, 60.0)
    strangers = {"total": [PrometheusSeries({**MINE, "version": "1.4.0"}, value)]}
    assert queries().readings(strangers, SUBJECT, 60.0) == ()


def test_a_histogram_where_a_counter_should_be_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="gives a histogram"):
        queries().readings({"total": [PrometheusSeries(MINE, NativeHistogram(()))]}, SUBJECT, 60.0)


def test_a_sample_is_old_beyond_its_limit_alone() -> None:
    def age(seconds: float) -> dict[str, list[PrometheusSeries]]:
        return {"age": [PrometheusSeries(MINE, seconds)], "total": [PrometheusSeries(MINE, 3.0)]}

    assert [r.total for r in queries().readings(age(60.0), SUBJECT, 60.0)] == [3]
    with pytest.raises(UnreadableError, match=r"1\.5\.0 is 61 s old"):
        queries().readings(age(60.6), SUBJECT, 60.0)


@pytest.mark.parametrize(
    ("more", "at"),
    [
        ({"token": "t", "user": "u", "password": "p"}, ("token",)),
        ({"user": "u"}, ("user",)),
        ({"password": "p"}, ("password",)),
        ({"labels": {"app": "{service}"}}, ("labels",)),
        ({"latency": "seconds", "native_histogram": True}, ("native_histogram",)),
    ],
)
def test_settings_that_do_not_fit_together_are_named(more: dict[str, object], at: tuple[str, ...]) -> None:
    written = {"kind": "prometheus", "url": "http://prom:9090/", "total": "a", "bad": "b", **more}
    assert [problem.path for problem in PrometheusSettings.model_validate(written).problems()] == [at]


def test_a_prefix_in_the_address_is_kept() -> None:
    written = {"kind": "alerts", "url": "https://ops.example.com/alertmanager/"}
    settings = AlertsSettings.model_validate(written)
    assert settings.access.url == "https://ops.example.com/alertmanager"
    assert settings.signals == {"alert", "alert:P1", "alert:P2"} and not settings.counts
    with pytest.raises(ValidationError):
        AlertsSettings.model_validate({**written, "server": "grafana"})
