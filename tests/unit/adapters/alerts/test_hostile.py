"""Labels and texts of any content and length: a finding stays small, storable and of one line where it should be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.alerts.sources import findings
from bot.adapters.alerts.sources.delivery import AlertSource, BadDelivery
from bot.domain.watch.alerts.findings import Finding
from bot.redaction import Redactor
from tests.support.alert_sources import alertmanager_alert, alertmanager_body, delivery, sources

# Every code point that JSON can carry, lone surrogates among them.
ANYTHING = st.text(st.characters(), max_size=400)
NASTY = st.sampled_from(
    [
        "@everyone",
        "<@123456789012345678>",
        "[x](javascript:alert(1))",
        "**_~~`||",
        "\x00\x1b[2J\u202e",
        "\ud800",
        "line\nline\r\n.\r\nRCPT TO:<x@example.com>",
        "a" * 10_000,
        "\U0001f600" * 3000,
        "\n" * 10_000,
        "{service}",
        "${HOME}",
    ]
)
TEXTS = st.one_of(ANYTHING, NASTY)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, AlertSource]:
    return sources(tmp_path_factory.mktemp("catalog"))


@pytest.fixture(scope="module")
def prometheus(everything: Mapping[str, AlertSource]) -> AlertSource:
    return everything["prometheus"]


def read(source: AlertSource, alert: dict[str, Any]) -> Finding:
    # As bytes, since JSON of Python escapes lone surrogates.
    (found,) = source.read(delivery(json.dumps(alertmanager_body(alert)).encode())).findings
    return found


def is_sound(found: Finding) -> None:
    assert 0 < len(found.fingerprint) <= 100 and found.fingerprint.isprintable()
    assert 0 < len(found.title) <= findings.TITLE
    assert len(found.text) <= findings.TEXT and "\0" not in found.text
    assert max(len(found.value), len(found.limit)) <= findings.VALUE
    for address in (found.url, found.runbook):
        assert address == "" or address.startswith(("http://", "https://"))
        assert len(address) <= findings.URL and not set(address) & set(" \n<>\"'")
    size = sum(len(name) + len(value) for name, value in found.labels.items())
    assert len(found.labels) <= findings.LABELS and size <= findings.ALL_LABELS
    for line in (found.title, found.value, found.limit, *found.labels, *found.labels.values()):
        assert "\n" not in line and "\0" not in line
    stored = json.dumps([found.title, found.text, dict(found.labels)], ensure_ascii=False)
    stored.encode()  # PostgreSQL takes it: no lone surrogates
    assert len(stored) < 16_000


@given(
    labels=st.dictionaries(TEXTS, TEXTS, max_size=60),
    notes=st.dictionaries(
        st.sampled_from(["summary", "description", "runbook_url", "value", "limit"]), TEXTS
    ),
    fingerprint=st.one_of(TEXTS.filter(bool), st.just("x" * 5000)),
    url=TEXTS,
)
def test_no_alert_is_too_strange_to_be_taken(
    prometheus: AlertSource, labels: dict[str, str], notes: dict[str, str], fingerprint: str, url: str
) -> None:
    alert = alertmanager_alert(labels=labels, annotations=notes, fingerprint=fingerprint, generatorURL=url)
    sound_or_no_text(prometheus, alertmanager_body(alert), [labels, notes, fingerprint, url])


@given(
    texts=st.fixed_dictionaries(dict.fromkeys(("text", "value", "limit", "runbook", "url"), TEXTS)),
    title=TEXTS.filter(bool),
    labels=st.dictionaries(TEXTS, TEXTS, max_size=60),
    lane=st.fixed_dictionaries(dict.fromkeys(("service", "environment"), TEXTS)),
)
def test_nor_is_one_of_our_own(
    everything: Mapping[str, AlertSource],
    texts: dict[str, str],
    title: str,
    labels: dict[str, str],
    lane: dict[str, str],
) -> None:
    alert = {"fingerprint": "x", "title": title, "labels": labels, **texts, **lane}
    sound_or_no_text(everything["own"], {"alerts": [alert]}, [title, labels, texts, lane])


@given(title=TEXTS, culprit=TEXTS, rule=TEXTS, tags=st.lists(st.tuples(TEXTS, TEXTS), max_size=60), url=TEXTS)
def test_nor_is_an_event_of_sentry(
    everything: Mapping[str, AlertSource],
    title: str,
    culprit: str,
    rule: str,
    tags: list[tuple[str, str]],
    url: str,
) -> None:
    event = {"issue_id": "1", "title": title, "culprit": culprit, "tags": tags, "url": url, "web_url": url}
    body = {"action": "triggered", "data": {"event": event, "triggered_rule": rule}}
    named = {"sentry_hook_resource": "event_alert"}
    sound_or_no_text(everything["sentry"], body, [title, culprit, rule, tags, url], **named)


@given(name=TEXTS, branch=TEXTS, text=TEXTS, url=TEXTS)
def test_nor_is_a_workflow_of_github(
    everything: Mapping[str, AlertSource], name: str, branch: str, text: str, url: str
) -> None:
    run = {
        "workflow_id": 7,
        "name": name,
        "display_title": text,
        "event": "push",
        "head_branch": branch,
        "head_sha": text,
        "conclusion": "failure",
        "html_url": url,
        "updated_at": "2026-11-22T14:50:00Z",
    }
    repository = {"name": name, "full_name": name, "default_branch": branch}
    body = {"action": "completed", "workflow_run": run, "repository": repository}
    sound_or_no_text(everything["github"], body, [name, branch, text, url], x_github_event="workflow_run")


def sound_or_no_text(source: AlertSource, body: Any, texts: Any, **headers: str) -> None:
    """Lone surrogates are no text of JSON; nothing else may be refused."""
    try:
        (found,) = source.read(delivery(json.dumps(body).encode(), **headers)).findings
    except BadDelivery:
        with pytest.raises(UnicodeEncodeError):
            json.dumps(texts, ensure_ascii=False).encode()
        return
    is_sound(found)


def test_fingerprints_of_any_length_stay_apart(prometheus: AlertSource) -> None:
    names = ["x" * 5000, "x" * 5001, "x\ny", "x y", "ä", "Ä"]
    found = {read(prometheus, alertmanager_alert(fingerprint=name)).fingerprint for name in names}
    assert len(found) == len(names)


def test_ten_kilobytes_of_labels_keep_their_lane_and_severity(prometheus: AlertSource) -> None:
    padding = {f"label_{n:03}": "x" * 200 for n in range(50)}
    labels = padding | {"service": "checkout", "environment": "staging", "severity": "critical"}
    found = read(prometheus, alertmanager_alert(labels=labels))
    is_sound(found)
    assert str(found.lane) == "checkout/staging" and found.severity == "critical"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//example.com",
        "https://",
        "https://[",
        "http://a b",
        "https://example.com/\u202etxt",
        "https://example.com/" + "x" * 500,
    ],
)
def test_an_address_that_people_should_not_open_is_left_out(prometheus: AlertSource, url: str) -> None:
    found = read(prometheus, alertmanager_alert(generatorURL=url, annotations={"runbook_url": url}))
    assert (found.url, found.runbook) == ("", "")


def test_secrets_in_texts_are_hidden(tmp_path: Path) -> None:
    source = sources(tmp_path, redact=Redactor(["hunter2hunter2"]))["prometheus"]
    alert = alertmanager_alert(
        annotations={"summary": "password=hunter2hunter2", "description": "hunter2hunter2"},
        labels={"dsn": "postgresql://u:hunter2hunter2@db/x"},
    )
    assert "hunter2" not in repr(read(source, alert))
