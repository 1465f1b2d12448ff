"""Specs and settings of Docker targets: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.adapters.runtimes.docker.settings import EngineSettings
from bot.adapters.runtimes.docker.spec import DockerSpecSettings, parse_spec
from bot.domain.rollout.model import Release
from bot.ports.errors import TargetRefused

PINNED = f"shop@sha256:{'a' * 64}"


def release(**spec: Any) -> Release:
    return Release("shop", "1.0", "sha256:1", spec={"image": PINNED, **spec})


def test_written_settings_are_a_spec_that_the_target_takes(tmp_path: Path) -> None:
    written = DockerSpecSettings.model_validate(
        {
            "image": "registry.example.com/shop:{version}",
            "command": ["serve", "--port", "{port}"],
            "env": {"LEVEL": "debug"},
            "secret_files": {"stripe": str(tmp_path / "stripe")},
            "port": 8080,
            "ready": {"path": "/up", "timeout": "20s"},
            "health": {"command": ["check"], "interval": "2s"},
            "volumes": ["uploads:/uploads", "/etc/ssl:/etc/ssl:ro"],
            "limits": {"memory": "512MB", "cpus": 0.5, "pids": 100},
            "drain": "3s",
            "stop": "4s",
        }
    )
    spec = parse_spec(Release("shop", "1.0", "sha256:1", spec=written.said()))
    assert (spec.ready_path, spec.ready.timeout_s, spec.drain_s, spec.stop_s) == ("/up", 20.0, 3.0, 4.0)
    assert spec.limits.memory_bytes == 512 * 1024**2
    assert spec.health is not None and spec.health.interval_s == 2.0
    assert [(m["Type"], m["Source"], m["ReadOnly"]) for m in spec.mounts()] == [
        ("volume", "uploads", False),
        ("bind", "/etc/ssl", True),
    ]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"port": 80}, "/healthz"),
        ({"port": 80, "ready": {"path": None}}, None),
        ({"port": 80, "health": {"command": ["check"]}}, None),
        ({"port": 80, "health": {"command": ["check"]}, "ready": {"path": "/up"}}, "/up"),
        ({}, None),
    ],
)
def test_what_has_to_answer_before_a_release_is_ready(spec: dict[str, Any], path: str | None) -> None:
    assert parse_spec(release(**spec)).ready_path == path


def test_every_mistake_is_in_one_sentence_without_values() -> None:
    with pytest.raises(TargetRefused) as refused:
        parse_spec(release(port=0, env={"KEY": ["hunter2-secret"]}, limits={"memory": "lots"}))
    said = str(refused.value)
    assert said.startswith("shop 1.0 cannot run in a container: ")
    assert all(place in said for place in ("port", "env.KEY", "limits.memory")) and "hunter2" not in said


@pytest.mark.parametrize("socket", ["/var/run/docker.sock", "/run/containerd/containerd.sock"])
def test_no_release_gets_the_engine(socket: str) -> None:
    with pytest.raises(TargetRefused, match="cannot have the engine's socket"):
        parse_spec(release(volumes=[f"{socket}:/engine.sock"]))


def test_labels_of_slipway_cannot_be_set() -> None:
    with pytest.raises(TargetRefused, match=r"labels that begin with slipway\."):
        parse_spec(release(labels={"slipway.owner": "other"}))


def test_exclusive_service_has_one_container() -> None:
    with pytest.raises(TargetRefused, match=r"shop is exclusive, so 1\.0 cannot have 2 instances"):
        parse_spec(release(instances=2), exclusive=True)


def test_secrets_are_known_by_name_file_and_reference(tmp_path: Path) -> None:
    variables, file = tmp_path / "env", tmp_path / "stripe"
    variables.write_text("FROM_FILE=file-value\n")
    file.write_text("whole-file\n")
    spec = parse_spec(
        release(
            env={"API_TOKEN": "named", "LEVEL": "debug"},
            env_file=str(variables),
            secret_files={"stripe": str(file)},
            secrets={"command": ["referred"]},
        )
    )
    assert spec.private() == {"named", "file-value", "whole-file", "referred"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"engine": "tcp://10.0.0.5:2376", "publish": "10.0.0.5"}, ["without TLS"]),
        ({"engine": "ssh://ops@10.0.0.5"}, ["cannot be reached at 127.0.0.1"]),
        ({"engine": "ssh://ops@10.0.0.5", "network": "web"}, []),
        ({"engine": "ssh://127.0.0.1:2222"}, []),
        ({"publish": "0.0.0.0"}, ['"0.0.0.0" is not the IP address of one interface']),
        ({"tls": {"ca": "a", "cert": "b", "key": "c"}}, ["unix:// has no TLS"]),
        ({}, []),
    ],
)
def test_settings_that_cannot_work_or_are_unsafe_are_mistakes(settings: Any, said: list[str]) -> None:
    problems = list(EngineSettings.model_validate(settings).problems())
    assert len(problems) == len(said)
    assert all(each in problem.sentence for each, problem in zip(said, problems, strict=True))
