"""Applications in the catalog: what they become, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.adapters.sources.manifests.file import FileSettings
from bot.cli.operations.config import _plain
from bot.composition.registry import KINDS
from bot.domain.appcommands.applications import GLOBAL, Scope
from bot.domain.config import Prerequisite
from bot.domain.rollout.model import Lane
from bot.domain.rollout.steps import Gate, Shift, SyncCommands
from tests.support.catalog_files import check

GUILD = 123456789012345678
TOKEN = "very-secret-token-of-greeter"


def greeter(**over: Any) -> dict[str, Any]:
    return {
        "id": "223456789012345678",
        "token": "${GREETER_TOKEN}",
        "manifest": {"kind": "file", "path": "greeter.json"},
        "staging": ["harbor"],
        "owners": ["deployer"],
        "approval": "production",
    } | over


def checked(folder: Path, application: dict[str, Any], **sections: Any) -> Any:
    document = {
        "guilds": {
            "harbor": {
                "id": str(GUILD),
                "channels": {"deploys": "d", "alerts": "a"},
                "roles": {"deployer": "d", "release-manager": "r", "on-call": "o"},
            }
        },
        "approvals": {"production": {"role": "release-manager", "quorum": 2}},
        "applications": {"greeter": application},
    } | sections
    (folder / "catalog.yaml").write_text(yaml.safe_dump(document))
    return check(folder, {"GREETER_TOKEN": TOKEN})


def test_an_application_becomes_a_lane_for_staging_and_one_for_production(tmp_path: Path) -> None:
    found, mistakes = checked(tmp_path, greeter(emergency="on-call", max_age="30m"))
    assert not mistakes
    application = found.applications["greeter"]
    staging, production = (found.lanes[lane] for lane in application.lanes)
    assert application.scopes("staging") == (Scope(GUILD),) and application.scopes("production") == (GLOBAL,)
    assert staging.lane == Lane("greeter-commands", "staging") and staging.prerequisite is None
    assert [type(step) for step in staging.plan.steps] == [Shift]
    assert [type(step) for step in production.plan.steps] == [Gate, Shift]
    assert production.prerequisite == Prerequisite("staging", 1800.0)
    assert production.emergency_roles == ("on-call",)
    assert production.policy.exclusive and production.drift == "report"
    assert application.source == FileSettings(kind="file", path=tmp_path / "greeter.json")


def test_the_token_is_shown_nowhere(tmp_path: Path) -> None:
    found, _ = checked(tmp_path, greeter())
    assert found.applications["greeter"].token.reveal() == TOKEN
    for shown in (repr(found), str(_plain(found)), repr(found.applications["greeter"].token)):
        assert TOKEN not in shown


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"token": "abc"}, "must not be written in a file"),
        ({"staging": ["habor"]}, 'there is no guild "habor"'),
        ({"staging": []}, "needs at least one guild"),
        ({"production": ["global", "harbor"]}, "must be global or guilds, not both"),
        ({"owners": ["deployers"]}, 'there is no role "deployers" in guild "harbor"'),
        ({"approval": "prod"}, 'there is no approval "prod"'),
        ({"guilds": ["haven"]}, 'there is no guild "haven"'),
        ({"manifest": {"kind": "ftp"}}, 'there is no kind "ftp"'),
        ({"manifest": {"kind": "url", "url": "http://example.org/x"}}, "must begin with https"),
        ({"manifest": {"kind": "artifact", "service": "bot", "path": "x"}}, 'there is no service "bot"'),
        (
            {"manifest": {"kind": "github", "repository": "a/b", "path": "x", "token": "plain"}},
            "must not be written in a file",
        ),
        ({"deviation": "0%"}, "above 0%"),
        ({"id": "12"}, "a Discord id of 15 to 20 digits"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, over: dict[str, Any], said: str) -> None:
    _, mistakes = checked(tmp_path, greeter(**over))
    assert any(said in str(mistake) for mistake in mistakes), [str(m) for m in mistakes]
    assert all(mistake.place.line for mistake in mistakes)
    assert not any("plain" in str(mistake) or "abc" in str(mistake) for mistake in mistakes)


def test_a_plan_syncs_commands_by_where_the_step_stands(tmp_path: Path) -> None:
    steps = [{"sync_commands": "greeter"}, {"shift": 100}, {"observe": "5s"}, {"sync_commands": "greeter"}]
    _, mistakes = checked(
        tmp_path, greeter(), plans={"together": steps, "wrong": [{"sync_commands": "gretter"}]}
    )
    assert any('there is no application "gretter"' in str(m) for m in mistakes)
    document, sections = _resolved(tmp_path)
    found = [step for _, step in document["together"]]
    assert [s.mode for s in found if isinstance(s, SyncCommands)] == ["additions", "all"]
    assert sections


@pytest.mark.parametrize(
    ("gates", "mistaken"),
    [
        (["production"], False),
        (["strict"], False),
        (["mild", "production"], False),
        (["mild"], True),
        (["few"], True),
        (["own"], True),
        ([], False),  # staging's commands, which no one approves
    ],
)
def test_a_gated_plan_asks_for_what_the_commands_need_before_it_brings_them(
    tmp_path: Path, gates: list[str], mistaken: bool
) -> None:
    approvals = {
        "production": {"role": "release-manager", "quorum": 2},
        "strict": {"role": "release-manager", "quorum": 3},
        "mild": {"role": "deployer", "quorum": 2},
        "few": {"role": "release-manager", "quorum": 1},
        "own": {"role": "release-manager", "quorum": 2, "allow_requester": True},
    }
    steps = [*({"gate": gate} for gate in gates), {"sync_commands": "greeter"}, {"shift": 100}]
    _, mistakes = checked(tmp_path, greeter(), plans={"together": steps}, approvals=approvals)
    said = [str(mistake) for mistake in mistakes]
    assert any("what the commands of greeter need: 2 × release-manager" in each for each in said) is mistaken
    assert all(mistake.place.line for mistake in mistakes)

    # A gate that comes only after it does not count.
    late = [*steps, {"observe": "5s"}]
    late.insert(len(gates) + 1, {"gate": "production"})
    _, mistakes = checked(tmp_path, greeter(), plans={"together": late}, approvals=approvals)
    assert bool(mistakes) is (mistaken or not gates)


def _resolved(folder: Path) -> tuple[dict[str, Any], Any]:
    from bot.catalog.resolution.plans import plans
    from bot.catalog.validate import validate
    from bot.catalog.yaml_source import read_folder

    document = read_folder(folder, {"GREETER_TOKEN": TOKEN})
    sections = validate(document, KINDS)
    return plans(document, sections), sections
