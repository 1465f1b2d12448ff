"""Release sources: what a digest covers, what an environment lays over it, and what order versions have."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot import references
from bot.adapters.runtimes.process.spec import parse_spec
from bot.adapters.sources.directory import version_key
from bot.adapters.sources.releases import CatalogReleases, irreversible
from bot.composition.adapters import make_releases
from bot.domain.errors import UserError
from bot.domain.phrasebook import NO_DETAILS
from bot.domain.rollout.model import Lane, Release
from bot.ports.errors import TargetRefused, Unreachable
from tests.support.catalog_files import LISTED, changed, load, write


async def releases(folder: Path, environment: str = "staging", *changes: tuple[str, str]) -> list[Release]:
    catalog = load(write(folder, all=changed(*changes)), {})
    return list(await make_releases(lambda: catalog).releases("checkout", environment))


async def test_listed_releases_come_in_the_order_of_the_catalog(tmp_path: Path) -> None:
    found = await releases(tmp_path)
    assert [(r.version, r.commit) for r in found] == [("2.0", ""), ("1.0", "abc")]
    assert len({r.digest for r in found}) == 2
    assert all(r.digest.startswith("sha256:") for r in found)


async def test_what_is_known_now_is_filled_in_and_the_rest_left_to_the_target(tmp_path: Path) -> None:
    change = ('[run, "{version}"]', '["{python}", "{service}", "{version}", "{environment}", "{port}"]')
    (release, _) = await releases(tmp_path, "staging", change)
    assert release.spec["command"] == [sys.executable, "checkout", "{version}", "{environment}", "{port}"]


async def test_the_same_release_has_one_identity_in_every_environment_and_a_digest_in_each(
    tmp_path: Path,
) -> None:
    change = (
        'production: {router: "0.0.0.0:8402"}',
        "production: {router: 8402, spec: {env: {A: b}, ready: {timeout: 9s}}}",
    )
    staging = await releases(tmp_path, "staging", change)
    production = await releases(tmp_path, "production", change)
    assert [r.identity for r in staging] == [r.identity for r in production]
    assert staging[0].digest == staging[0].identity
    assert production[0].digest != staging[0].digest
    other = ("A: b", "A: c")
    (changed_only_there, _) = await releases(tmp_path, "production", change, other)
    assert changed_only_there.digest != production[0].digest
    assert changed_only_there.identity == production[0].identity
    assert production[0].spec["env"] == {"A": "b"}
    assert production[0].spec["ready"] == {"path": "/healthz", "timeout_s": 9.0}
    assert "env" not in staging[0].spec


async def test_a_digest_changes_with_spec_artifact_and_version(tmp_path: Path) -> None:
    digests = [(await releases(tmp_path / "0"))[1].digest]
    for number, change in enumerate(
        [
            ("drain: 500ms", "drain: 501ms"),
            ("commit: abc", "digest: 'sha256:abc'"),
            ("commit: abc", "spec: {env: {A: b}}"),
            ('version: "1.0"', 'version: "1.1"'),
        ]
    ):
        digests.append((await releases(tmp_path / f"x{number}", "staging", change))[1].digest)
    assert len(set(digests)) == 5
    described = await releases(tmp_path / "y", "staging", ("commit: abc", "commit: abd"))
    assert described[1].digest == digests[0]


async def test_a_digest_stays_the_same_from_one_slipway_to_the_next(tmp_path: Path) -> None:
    change = ("commit: abc}", 'commit: abc, digest: "sha256:1", spec: {env: {A: 1}, drain: 1s, stop: }}')
    assert [release.digest for release in await releases(tmp_path, "staging", change)] == [
        "sha256:c8a9d010806c5e663531f754b6832d9bd26135e825cfb2fcdbdce29176feab82",
        "sha256:774c1285ba3dee62be2e2f4ddba4c5f1a4078d90a96bb0daa1a98b3eb0201e24",
    ]


async def test_no_path_is_said_too(tmp_path: Path) -> None:
    change = ("ready: {path: /healthz, timeout: 15s}", "ready: {path: null, alive: 2s, timeout: }")
    release, _ = await releases(tmp_path, "staging", change)
    assert release.spec["ready"] == {"path": None, "alive_s": 2.0}
    assert parse_spec(release).ready.path is None


async def test_a_service_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, all=changed()), {})
    with pytest.raises(UserError, match="checkout"):
        await make_releases(lambda: catalog).releases("chekout", "staging")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for version in ("1.9.0", "1.10.0", "1.10.0-rc1", ".git"):
        folder = tmp_path / "releases" / version / "bin"
        folder.mkdir(parents=True)
        (folder / "run").write_text(f"echo {version}")
    return tmp_path


DIRECTORY = (
    LISTED,
    "      kind: directory\n      path: releases\n      spec: {command: ['{path}/bin/run']}\n",
)


async def test_every_folder_is_a_release_newest_first(folders: Path) -> None:
    found = await releases(folders, "staging", DIRECTORY)
    assert [r.version for r in found] == ["1.10.0", "1.10.0-rc1", "1.9.0"]
    # The host fills in where its copy of the files is.
    assert found[0].spec["command"] == ["{path}/bin/run"]
    artifact = found[0].spec["artifact"]
    assert isinstance(artifact, dict) and artifact["folder"] == f"{folders}/releases/1.10.0"
    assert artifact["digest"] != found[1].spec["artifact"]["digest"]  # type: ignore[index]


async def test_a_folders_digest_covers_contents_names_and_what_is_executable(folders: Path) -> None:
    async def digest() -> str:
        return (await releases(folders, "staging", DIRECTORY))[0].digest

    program = folders / "releases/1.10.0/bin/run"
    seen = [await digest()]
    program.touch()
    assert await digest() == seen[0]
    program.write_text("echo other")
    seen.append(await digest())
    program.chmod(0o755)
    seen.append(await digest())
    program.rename(program.with_name("run2"))
    seen.append(await digest())
    (program.parent / "link").symlink_to("run2")
    seen.append(await digest())
    assert len(set(seen)) == 5


async def test_a_folder_is_hashed_again_only_when_it_changed(folders: Path) -> None:
    catalog = load(write(folders, all=changed(DIRECTORY)), {})
    source = make_releases(lambda: catalog)
    before = await source.releases("checkout", "staging")
    assert await source.releases("checkout", "staging") == before
    (folders / "releases/1.9.0/bin/new").write_text("x")
    after = await source.releases("checkout", "staging")
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False]


async def test_a_folder_that_is_away_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot be read"):
        await releases(tmp_path, "staging", DIRECTORY)


def test_versions_sort_as_people_do() -> None:
    right = ["v0.9", "1.0-alpha2", "1.0-rc1", "1.0", "1.0.1", "1.2", "1.10", "2024.1"]
    shuffled = [*right[1::2], *right[0::2]]
    assert sorted(shuffled, key=version_key) == right
    assert sorted(["build12", "build7", "1.0"], key=version_key) == ["build7", "build12", "1.0"]


async def test_pinned_release_stands_for_what_it_stood_for_when_it_was_pinned(tmp_path: Path) -> None:
    environ = {"TOKEN": "secret"}
    catalog = load(write(tmp_path, all=changed()), {})

    async def pin(lane: Lane, release: Release) -> Release:
        assert lane == Lane("checkout", "staging")
        return replace(release, digest="sha256:pinned", spec={**release.spec, "image": "web@sha256:1"})

    written = references.marked({"image": "web:1", "env": {"TOKEN": "${TOKEN}"}}, ("env",))
    release = Release("checkout", "1", "sha256:1", spec=references.hashed(written, environ))
    found = await CatalogReleases(lambda: catalog, {}, environ, pin).pinned(release, "staging")
    assert (found.digest, found.spec["image"]) == ("sha256:pinned", "web@sha256:1")
    assert references.changed(found.spec, environ) == ""
    assert references.changed(found.spec, {"TOKEN": "other"}) != ""


async def test_release_that_cannot_be_pinned_is_the_mistake_of_a_person(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, all=changed()), {})

    async def pin(lane: Lane, release: Release) -> Release:
        raise TargetRefused("web 9: docker.io has no image web:9")

    with pytest.raises(UserError, match=r"docker\.io has no image web:9"):
        await CatalogReleases(lambda: catalog, {}, {}, pin).pinned(Release("web", "9", ""), "staging")


async def test_releases_of_processes_are_what_they_are(tmp_path: Path) -> None:
    catalog = load(write(tmp_path, all=changed()), {})
    (release, *_) = await releases(tmp_path)
    assert await make_releases(lambda: catalog).pinned(release, "staging") == release


async def test_an_entry_of_the_list_is_marked_as_irreversible(tmp_path: Path) -> None:
    marked = '["2.0", {version: "1.0", commit: abc, irreversible: drops the table coupons}]'
    bare = '["2.0", {version: "1.0", commit: abc, irreversible: true}]'
    was = '["2.0", {version: "1.0", commit: abc}]'
    assert [r.irreversible for r in await releases(tmp_path, "staging", (was, marked))] == [
        "",
        "drops the table coupons",
    ]
    assert [r.irreversible for r in await releases(tmp_path, "staging", (was, bare))] == ["", NO_DETAILS]


async def test_a_file_marks_a_folder_as_irreversible_and_is_part_of_its_digest(tmp_path: Path) -> None:
    for version in ("1.0", "2.0", "3.0"):
        (tmp_path / "releases" / version).mkdir(parents=True)
    change = (
        LISTED,
        "      kind: directory\n      path: releases\n      spec: {command: [run], ready: {path: /h}}\n",
    )
    before = await releases(tmp_path, "staging", change)
    assert [r.irreversible for r in before] == ["", "", ""]
    (tmp_path / "releases" / "2.0" / "IRREVERSIBLE").write_text("drops the table coupons\nsee the runbook\n")
    (tmp_path / "releases" / "1.0" / "IRREVERSIBLE").touch()
    after = await releases(tmp_path, "staging", change)
    assert [r.irreversible for r in after] == ["", "drops the table coupons", NO_DETAILS]
    assert [a.digest == b.digest for a, b in zip(after, before, strict=True)] == [True, False, False]


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        (True, NO_DETAILS),
        (False, ""),
        ("", ""),
        (" No. ", ""),
        ("none", ""),
        ("YES", NO_DETAILS),
        ("\u200b", NO_DETAILS),
        ("a\nb", "a b"),
    ],
)
def test_marks_read_as_people_mean_them(said: bool | str, mark: str) -> None:
    assert irreversible(said) == mark
