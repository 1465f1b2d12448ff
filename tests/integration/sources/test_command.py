"""Releases that a program prints: what the lines say, and every way in which a program fails."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.runtimes.process.spec import ProcessSpecSettings
from bot.adapters.sources.cached import CachedReleases
from bot.adapters.sources.command import ReleaseCommandSettings, make_printed
from bot.adapters.sources.releases import FoundRelease
from bot.ports.errors import Unreachable
from tests.support.catalog_files import LISTED, changed, check, load, write


def source(folder: Path, program: str, **more: Any) -> CachedReleases:
    (folder / "list.py").write_text(program)
    written = {
        "kind": "command",
        "command": [sys.executable, "list.py"],
        "cwd": folder,
        "spec": {"command": ["run", "{version}"]},
        "timeout": "20s",
        **more,
    }
    return make_printed("shop", ReleaseCommandSettings[ProcessSpecSettings].model_validate(written))


def printing(*lines: str) -> str:
    return f"print({chr(10).join(lines)!r})"


def versions(found: Sequence[FoundRelease]) -> list[str]:
    return [each.version for each in found]


async def test_lines_are_releases_newest_first(tmp_path: Path) -> None:
    program = printing(
        '{"version": "1.0", "time": "2026-11-18T10:00:00Z"}',
        "",
        '{"version": "1.1", "commit": "08fa6c4", "subject": "Round prices", "time": "2026-11-19T10:00:00+01:00"}',
    )
    newest, oldest = await source(tmp_path, program).find()
    assert (newest.version, newest.commit, newest.subject) == ("1.1", "08fa6c4", "Round prices")
    assert newest.made_at == datetime(2026, 11, 19, 9, tzinfo=UTC)
    assert newest.spec == {"command": ["run", "{version}"]}
    assert oldest.version == "1.0"


async def test_order_is_the_programs_where_a_time_is_missing(tmp_path: Path) -> None:
    program = printing('{"version": "b"}', '{"version": "a", "time": "2026-11-18T10:00:00Z"}')
    assert versions(await source(tmp_path, program).find()) == ["b", "a"]


async def test_a_program_that_prints_nothing_has_no_releases(tmp_path: Path) -> None:
    assert await source(tmp_path, "").find() == []


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (printing('{"version": "1.0"}', "done"), "line 2 of .* is not JSON: “done”"),
        (printing('{"versoin": "1.0"}'), "line 1 of .*: version: Field required"),
        (printing('{"version": "1.0", "by": "ada"}'), "line 1 of .*: by: Extra inputs are not permitted"),
        (printing('{"version": "1.0", "time": "2026-11-18T10:00:00"}'), "time: .* timezone"),
        (printing('{"version": "1.0"}', '{"version": "1.0"}'), r"line 2 of .* has the version 1\.0 again"),
        ('print("[" * 100000)', "line 1 of .* is not JSON"),
        ('import sys; sys.stdout.buffer.write(b"\\xff\\n")', "line 1 of .* is not JSON"),
        ('for n in range(1001): print(\'{"version": "%d"}\' % n)', "printed more than 1000 releases"),
        ('print(" " * (100 * 2**20))', "printed more than 1024 KiB"),
        ('import sys; sys.exit("no access")', "exited with code 1: no access"),
        ("import time; time.sleep(60)", r"did not finish within 0\.5 s"),
    ],
)
async def test_what_goes_wrong_is_a_sentence(tmp_path: Path, program: str, said: str) -> None:
    more = {"timeout": "500ms"} if "sleep" in program else {}
    began = time.monotonic()
    with pytest.raises(Unreachable, match=f"The releases of shop cannot be listed: .*{said}"):
        await source(tmp_path, program, **more).find()
    assert time.monotonic() - began < 30


async def test_a_program_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="/none cannot be started: No such file"):
        await source(tmp_path, "", command=["/none"]).find()


async def test_the_program_gets_its_own_secrets_alone_and_they_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "of-the-bot")
    program = "import os, sys; sys.exit(os.environ['LIST_TOKEN'] + str(os.environ.get('DISCORD_TOKEN')))"
    with pytest.raises(Unreachable) as refused:
        await source(tmp_path, program, env={"LIST_TOKEN": "hidden-token"}).find()
    assert str(refused.value).endswith("exited with code 1: ***None")


BY_PROGRAM = """\
      kind: command
      command: [./list]
      env: {TOKEN: "${SHOP_TOKEN}"}
      spec: {command: [run, "{version}"]}
"""


def test_it_is_written_in_a_catalog_with_its_secret_from_the_environment(tmp_path: Path) -> None:
    load(write(tmp_path / "a", all=changed((LISTED, BY_PROGRAM))), {"SHOP_TOKEN": "hidden-token"})
    written = BY_PROGRAM.replace("${SHOP_TOKEN}", "hidden-token")
    _, mistakes = check(write(tmp_path / "b", all=changed((LISTED, written))), {})
    assert [str(m).partition("releases.")[2] for m in mistakes] == [
        "env.TOKEN: must not be written in a file. Write ${NAME} and set that variable."
    ]
