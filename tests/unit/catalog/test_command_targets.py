"""Command targets in a catalog: what their lanes are by themselves, and what mistakes say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.rollout.model import Lane
from tests.support.catalog_files import changed, check, load, write

PRODUCTION = Lane("checkout", "production")
TARGET = 'local: {kind: command, apply: [deploy, "{version}"], ssh: deploy.example.com}'
SPEC = 'spec: {command: [run, "{version}"], ready: {path: /healthz, timeout: 15s}, drain: 500ms}'
BY_COMMAND = (
    ("local: {kind: process}", TARGET),
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


def test_with_weights_they_are_not(tmp_path: Path) -> None:
    weights = (TARGET, TARGET.replace("kind: command,", "kind: command, weights: true,"))
    catalog = load(write(tmp_path, all=changed(*BY_COMMAND, weights)), ENV)
    assert not catalog.lanes[PRODUCTION].policy.exclusive


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
