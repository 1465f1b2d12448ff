"""Command targets and run steps in a catalog: what they become, and what mistakes say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.rollout.model import Lane
from bot.domain.rollout.steps import HttpCheck, Run, RunCheck, RunCommand, SshAddress
from tests.support.catalog_files import changed, check, load, write

PRODUCTION = Lane("checkout", "production")
TARGET = 'local: {kind: command, apply: [deploy, "{version}"], ssh: deploy.example.com}'
SPEC = 'spec: {command: [run, "{version}"], ready: {path: /healthz, timeout: 15s}, drain: 500ms}'
BY_COMMAND = (
    ("local: {kind: process, users: host}", TARGET),
    (SPEC, 'spec: {env: {REGION: north, TOKEN: "${SLIPWAY_VAR_TOKEN}"}}'),
    ("router: 8401", "router: https://shop.example.com"),
    ('router: "0.0.0.0:8402"', "router: {address: https://shop.example.com}"),
    ("  plan: canary", "  plan: replace"),
    ("metrics: [router]", "metrics: [alive]"),
    ("router: {kind: router}", "alive: {kind: probe}"),
)
ENV = {"SLIPWAY_VAR_TOKEN": "t0ken"}


def test_its_lanes_are_exclusive_by_themselves(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, all=changed(*BY_COMMAND)), ENV)
    assert catalog.lanes[PRODUCTION].policy.exclusive
    assert catalog.lanes[PRODUCTION].bound.exclusive
    assert catalog.lanes[PRODUCTION].probed
    assert not load(write(tmp_path, all=changed()), ENV).lanes[PRODUCTION].probed  # counted by a router


def test_with_weights_they_are_not(tmp_path: Path) -> None:
    weights = (TARGET, TARGET.replace("kind: command,", "kind: command, weights: true,"))
    catalog = load(write(tmp_path, all=changed(*BY_COMMAND, weights)), ENV)
    assert not catalog.lanes[PRODUCTION].policy.exclusive


def test_commands_keep_no_former_release(tmp_path: Path) -> None:
    weights = (TARGET, TARGET.replace("kind: command,", "kind: command, weights: true,"))
    kept = (
        "staging: {router: https://shop.example.com}",
        "staging: {router: https://shop.example.com, keep_warm: 1h}",
    )
    _, mistakes = check(write(tmp_path, all=changed(*BY_COMMAND, weights, kept)), ENV)
    said = 'the target "local" runs nothing without traffic, so no former release is kept warm.'
    assert len(mistakes) == 1 and said in str(mistakes[0]), list(map(str, mistakes))


MISTAKES = {
    "a share without weights": (
        ("  plan: replace", "  plan: canary"),
        "checkout is exclusive: an exclusive service cannot have 5%.",
    ),
    "not exclusive without weights": (
        ("  plan: replace", "  plan: replace\n  exclusive: false"),
        'the target "local" cannot split traffic, so checkout/staging must be exclusive.',
    ),
    "a string for a shell": (
        ('apply: [deploy, "{version}"]', 'apply: "deploy {version}"'),
        "targets.local.apply",
    ),
    "a host that is an option": (
        ("ssh: deploy.example.com", "ssh: -oProxyCommand=x"),
        'targets.local.ssh: must be a host name or address, not "-oProxyCommand=x".',
    ),
    "a variable that no shell can have": (
        ("REGION: north", '"A B": north'),
        "services.checkout.releases.spec.env",
    ),
}


@pytest.mark.parametrize(("change", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_has_its_place(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    _, mistakes = check(write(tmp_path, all=changed(*BY_COMMAND, change)), ENV)
    assert mistakes and any(said in str(mistake) for mistake in mistakes), list(map(str, mistakes))


def with_step(step: str) -> tuple[tuple[str, str], ...]:
    return (*BY_COMMAND, ("    - observe: 10s", f"    - {step}\n    - observe: 10s"))


def run_of(folder: Path, step: str) -> Run:
    catalog = load(write(folder, all=changed(*with_step(step))), ENV)
    (found,) = [each for each in catalog.lanes[PRODUCTION].plan.steps if isinstance(each, Run)]
    return found


def test_a_list_is_short_for_a_command(tmp_path: Path) -> None:
    assert run_of(tmp_path, "run: [bin/smoke, --quick]") == Run("smoke", RunCommand(("bin/smoke", "--quick")))


def test_a_run_has_a_name_variables_and_a_machine(tmp_path: Path) -> None:
    step = "run: {command: [make, e2e], name: end to end, env: API_KEY, ssh: ci.example.com, cwd: e2e, timeout: 1h}"
    command = RunCommand(
        ("make", "e2e"), ("API_KEY",), str((tmp_path / "e2e").resolve()), SshAddress("ci.example.com")
    )
    assert run_of(tmp_path, step) == Run("end to end", command, timeout_s=3600.0)


def test_a_check_is_of_the_candidate_or_of_a_whole_address(tmp_path: Path) -> None:
    whole = run_of(tmp_path, "run: {http: {url: 'https://shop.example.com/smoke?deep=1', contains: ok}}")
    assert whole.http == RunCheck(HttpCheck("/smoke?deep=1", 200, "ok", 5.0), "https://shop.example.com")
    assert run_of(tmp_path, "run: {http: /smoke}").http == RunCheck(HttpCheck("/smoke", timeout_s=5.0))


WRONG_RUNS = {
    "nothing to run": ("run: {name: x}", "a run needs either command or http."),
    "two things": ("run: {command: [x], http: /x}", "a run needs either command or http."),
    "a check of nothing": ("run: {http: {status: 200}}", "http needs either path or url."),
    "a secret in a plan": (
        'run: {command: [x, "${SLIPWAY_VAR_TOKEN}"]}',
        "so ${…} must not be in it. List the variable's name in env:",
    ),
}


@pytest.mark.parametrize(("step", "said"), WRONG_RUNS.values(), ids=WRONG_RUNS.keys())
def test_a_mistake_in_a_run_has_its_place(tmp_path: Path, step: str, said: str) -> None:
    _, mistakes = check(write(tmp_path, all=changed(*with_step(step))), ENV)
    (mistake,) = map(str, mistakes)
    assert said in mistake and "plans.replace[1].run" in mistake and "t0ken" not in mistake
