"""Specs, the wire format, files and logs of the process target."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import pytest

from bot.adapters.lane_files import folder_name, write_atomically
from bot.adapters.runtimes.process import logs
from bot.adapters.runtimes.process.logs import last_words
from bot.adapters.runtimes.process.spec import parse_spec
from bot.adapters.targets.hosted import wire
from bot.adapters.targets.hosted.host.store import StateStore
from bot.domain.rollout.model import Desired, HostAbort, Lane, Observed, Release, Running, RunState
from bot.ports.errors import TargetRefused
from bot.redaction import Redactor

SPEC = MappingProxyType({"command": ("serve", "--port", "{port}"), "env": MappingProxyType({"A": "1"})})
ONE = Release("shop", "1", "sha256:1", "abc", SPEC)
TWO = Release("shop", "2", "sha256:2")


def test_desired_state_comes_back_from_the_wire_as_it_was_sent() -> None:
    desired = Desired(3, ONE, TWO, 25, warm=(TWO, ONE))
    sent = json.loads(json.dumps(wire.desired_to_json(desired)))
    came = wire.desired_from_json(sent)
    assert wire.desired_to_json(came) == sent
    assert came == wire.desired_from_json(wire.desired_to_json(came))
    assert came.stable is not None and came.stable.spec == {
        "command": ["serve", "--port", "{port}"],
        "env": {"A": "1"},
    }


def test_observed_state_comes_back_from_the_wire_as_it_was_sent() -> None:
    observed = Observed(
        4,
        (Running("sha256:1", "1", RunState.DRAINING, 0, "http://127.0.0.1:1", "why", 2),),
        HostAbort(4, datetime(2026, 1, 2, tzinfo=UTC), "root", "because"),
    )
    assert wire.observed_from_json(json.loads(json.dumps(wire.observed_to_json(observed)))) == observed


def test_places_are_filled_in_and_other_braces_left_alone() -> None:
    spec = parse_spec(
        Release(
            "shop", "1", "x", spec={"command": ["a", "{port}", '{"json": 1}'], "env": {"V": "v{version}"}}
        )
    )
    assert spec.argv({"port": "1"}) == ["a", "1", '{"json": 1}']
    assert spec.environment({"version": "9"}) == {"V": "v9"}


def test_variables_of_a_file_reach_the_release_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "shop.env"
    file.write_text("TOKEN=hunter22\nCOLOUR=red # dark\nBOTH=file\n")
    spec = parse_spec(
        Release("shop", "1", "x", spec={"command": ["a"], "env_file": str(file), "env": {"BOTH": "spec"}})
    )
    assert spec.environment({}) == {"TOKEN": "hunter22", "COLOUR": "red", "BOTH": "spec"}
    assert "hunter22" not in spec.model_dump_json()
    assert "hunter22" in spec.private()
    file.unlink()
    with pytest.raises(FileNotFoundError):
        spec.environment({})


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({}, "command"),
        ({"command": []}, "command"),
        ({"command": ["x"], "instances": 0}, "instances"),
        ({"command": ["x"], "stop_signal": "SIGKILL"}, "stop_signal"),
        ({"command": ["x"], "ready": {"path": "healthz"}}, "ready.path"),
        ({"command": ["x"], "cwd": "relative"}, "cwd"),
        ({"command": ["x"], "ports": [1]}, "ports"),
    ],
)
def test_mistake_in_a_spec_is_named(spec: dict[str, object], says: str) -> None:
    with pytest.raises(TargetRefused, match=says):
        parse_spec(Release("shop", "1", "x", spec=spec))


def test_private_is_what_came_from_outside_or_is_named_so() -> None:
    env = {
        "STRIPE_KEY": "sk-1",
        "DB_PASS": "pw",
        "CACHE_URL": "redis://{service}",
        "COLOUR": "green",
        "REGION": "eu",
    }
    secrets = {"env.REGION": ["eu"], "command": ["given"]}
    spec = parse_spec(
        Release("shop", "1", "x", spec={"command": ["x", "given"], "env": env, "secrets": secrets})
    )
    assert spec.private({"service": "shop"}) == {"sk-1", "pw", "redis://shop", "eu", "given"}
    assert "given']" not in repr(spec).partition("secrets")[2]


def test_last_words_are_redacted_before_they_are_cut(tmp_path: Path) -> None:
    log, secret = tmp_path / "log", "x" * 3000 + "y" * 3000
    redact = Redactor([secret])
    log.write_text(f"begun\n\n{secret} one\ntwo\n" + "three\n" * 3 + f"four {secret}\n")
    assert last_words(log, 0, redact) == "two | three | three | three | four ***"
    # More than is read at once: what remains of a secret at the beginning is left out, not shown.
    log.write_text("z" * 9000 + secret + "w" * 9000 + "\nthe end\n")
    assert last_words(log, 0, redact) == "the end"
    log.write_text(secret * 4)
    assert last_words(log, 0, redact) == ""
    log.write_text("of an earlier start\nnow\n")
    assert last_words(log, len("of an earlier start\n"), redact) == "now"
    assert last_words(tmp_path / "nowhere", 0, redact) == ""


def test_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.mkdir()  # nothing can replace a folder
    with pytest.raises(OSError):
        write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["state.json"]


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    name = folder_name(Lane("../../etc", "a/b"))
    assert "/" not in name
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


def test_host_keeps_its_mark(tmp_path: Path) -> None:
    assert StateStore(tmp_path).host_id() == StateStore(tmp_path).host_id()


def test_tail_has_the_last_lines_since_the_start(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert logs.last_words(log, 0, str) == "" and logs.size(log) == 0
    log.write_text("of an earlier life\n")
    since = logs.size(log)
    assert logs.last_words(log, since, str) == ""
    with log.open("a") as file:
        file.write("\n".join(f"line {n}" for n in range(9)) + "\n")
    assert logs.last_words(log, since, str) == "line 4 | line 5 | line 6 | line 7 | line 8"


def test_only_the_newest_logs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "KEPT_LOGS", 2)
    for number in range(4):
        (tmp_path / f"{number}.log").touch()
    logs.tidy(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    logs.tidy(tmp_path / "nowhere")
