"""The store of releases' files: filled once, verified at each use."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bot.adapters import artifacts
from bot.adapters.artifacts import ArtifactStore, Changed, digest, listing, manifest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "releases" / "1.5.0"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "run").write_text("#!/bin/sh\necho 1.5.0\n")
    (folder / "bin" / "run").chmod(0o755)
    (folder / "data.txt").write_text("data")
    (folder / "link").symlink_to("data.txt")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    (tmp_path / "artifacts").mkdir()
    return ArtifactStore(tmp_path / "artifacts")


def of(folder: Path) -> str:
    return digest(manifest(folder, listing(folder)))


def test_copy_has_the_same_digest_and_can_only_be_read(source: Path, store: ArtifactStore) -> None:
    wanted = of(source)
    before = os.umask(0o077)
    try:
        copy = store.ensure(wanted, source)
    finally:
        os.umask(before)
    assert copy == store.path(wanted) and of(copy) == wanted
    assert (copy / "link").readlink() == Path("data.txt")
    modes = {
        path.name: stat.S_IMODE(path.lstat().st_mode) for path in copy.rglob("*") if not path.is_symlink()
    }
    assert modes == {"bin": 0o555, "run": 0o555, "data.txt": 0o444}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (copy, copy.parent)} == {0o555, 0o755}


def test_files_that_changed_after_they_were_approved_are_refused(source: Path, store: ArtifactStore) -> None:
    wanted = of(source)
    (source / "data.txt").write_text("other")
    with pytest.raises(Changed, match=r"1\.5\.0 are not those that were approved"):
        store.ensure(wanted, source)
    assert list(store.path(wanted).parent.parent.iterdir()) == []


def test_copy_is_used_when_its_source_has_changed_or_is_gone(source: Path, store: ArtifactStore) -> None:
    wanted = of(source)
    copy = store.ensure(wanted, source)
    (source / "data.txt").write_text("other")
    assert of(store.ensure(wanted, source)) == wanted
    assert store.ensure(wanted, source.with_name("gone")) == copy


@pytest.mark.parametrize("change", ["content", "mode", "missing", "manifest"])
def test_copy_that_was_tampered_with_is_made_again_or_refused(
    change: str, source: Path, store: ArtifactStore
) -> None:
    wanted = of(source)
    copy = store.ensure(wanted, source)
    target = copy.parent / "manifest" if change == "manifest" else copy / "data.txt"
    copy.chmod(0o755)
    target.chmod(0o644)
    if change == "missing":
        target.unlink()
    elif change == "mode":
        target.chmod(0o755)
    else:
        target.write_text("tampered")
    with pytest.raises(OSError):
        store.ensure(wanted, source.with_name("gone"))
    assert of(store.ensure(wanted, source)) == wanted


def test_files_that_a_release_added_to_its_copy_are_removed(source: Path, store: ArtifactStore) -> None:
    """As Python's compiled modules, where a release may write: they would run in place of what was approved."""
    wanted = of(source)
    copy = store.ensure(wanted, source)
    copy.chmod(0o755)
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "run.pyc").write_text("compiled")
    assert of(store.ensure(wanted, source.with_name("gone"))) == wanted
    assert not (copy / "__pycache__" / "run.pyc").exists()


def test_only_copies_in_use_and_the_newest_others_are_kept(
    tmp_path: Path, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "KEPT", 2)
    made = []
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "file").write_text(str(number))
        made.append(of(folder))
        entry = store.ensure(made[-1], folder).parent
        os.utime(entry, (number, number))
    (tmp_path / "artifacts" / ".half.made").mkdir()
    store.collect({made[0]})
    assert {path.name for path in (tmp_path / "artifacts").iterdir()} == {made[0], made[3], made[4]}


def test_folder_with_what_is_no_file_has_no_digest(source: Path) -> None:
    os.mkfifo(source / "pipe")
    with pytest.raises(OSError, match="pipe is neither a file nor a link"):
        of(source)
