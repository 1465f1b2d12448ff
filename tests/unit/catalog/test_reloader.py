"""A reload replaces the catalog only by one without mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.errors import BadCatalog
from tests.support.catalog_files import SOUND, changed, reloader, write


def test_a_reload_takes_what_changed(tmp_path: Path) -> None:
    holder = reloader(write(tmp_path, all=SOUND))
    before = holder.current
    assert not holder.reload().changed
    assert holder.current is before
    write(tmp_path, all=changed(("soak: 30m", "soak: 31m")))
    done = holder.reload()
    assert done.changed
    assert done.errors == ()
    assert holder.current.digest != before.digest


def test_a_wrong_catalog_changes_nothing_and_says_all_that_is_wrong(tmp_path: Path) -> None:
    holder = reloader(write(tmp_path, all=SOUND))
    before = holder.current
    write(tmp_path, all=changed(("soak: 30m", "soak: soon"), ("target: local", "target: locl")))
    done = holder.reload()
    assert not done.changed
    assert len(done.errors) == 2
    assert "the old one stays" in done.sentence
    assert holder.current is before


def test_files_that_vanish_change_nothing(tmp_path: Path) -> None:
    holder = reloader(write(tmp_path, all=SOUND))
    before = holder.current
    (tmp_path / "all.yaml").unlink()
    assert holder.reload().errors
    assert holder.current is before


def test_a_mended_catalog_is_taken_after_a_wrong_one(tmp_path: Path) -> None:
    holder = reloader(write(tmp_path, all=SOUND))
    write(tmp_path, all="services: [")
    assert holder.reload().errors
    write(tmp_path, all=changed(("soak: 30m", "soak: 31m")))
    assert holder.reload().changed


def test_there_is_no_holder_of_a_wrong_catalog(tmp_path: Path) -> None:
    with pytest.raises(BadCatalog):
        reloader(write(tmp_path, all="services: ["))


def test_each_catalog_is_told_of_before_it_counts(tmp_path: Path) -> None:
    told: list[str] = []
    holder = reloader(write(tmp_path, all=SOUND), loaded=lambda catalog: told.append(catalog.digest))
    holder.reload()
    write(tmp_path, all=changed(("soak: 30m", "soak: soon")))
    holder.reload()
    write(tmp_path, all=changed(("soak: 30m", "soak: 31m")))
    first = holder.current.digest
    holder.reload()
    assert told == [first, holder.current.digest]
