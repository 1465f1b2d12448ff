"""The workflow that people copy: code that is not reviewed meets no secret, and only main deploys."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.repository import EXAMPLES

WORKFLOW: dict[str, Any] = yaml.safe_load(
    (EXAMPLES / "pipelines/github-commands.yml").read_text(encoding="utf-8")
)


def test_pull_requests_run_on_a_hosted_runner_without_secrets() -> None:
    jobs = [job for job in WORKFLOW["jobs"].values() if "push" not in job["if"]]
    assert jobs
    for job in jobs:
        assert job["runs-on"] == "ubuntu-24.04"
        assert job["permissions"] == {"contents": "read"}
        assert "secrets." not in str(job) and "environment" not in job
        assert "--network none" in str(job["steps"])


def test_only_main_reaches_the_runner_with_the_database_from_a_protected_environment() -> None:
    jobs = [job for job in WORKFLOW["jobs"].values() if "self-hosted" in job["runs-on"]]
    assert jobs
    for job in jobs:
        assert job["if"] == "github.event_name == 'push' && github.ref == 'refs/heads/main'"
        assert job["environment"] == "slash-commands"
    assert WORKFLOW["permissions"] == {}
