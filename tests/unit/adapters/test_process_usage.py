"""Memory against the limit of the control group, of either version, or the one that is configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.process_usage import ProcessUsage

MIB = 1024 * 1024


def group(folder: Path, version: int, limit: str, used: int, inactive: int) -> Path:
    names = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}[
        version
    ]
    place = folder if version == 2 else folder / "memory"
    place.mkdir(exist_ok=True)
    for name, text in zip(names, (limit, str(used)), strict=True):
        (place / name).write_text(f"{text}\n")
    key = "inactive_file" if version == 2 else "total_inactive_file"
    (place / "memory.stat").write_text(f"anon 1\n{key} {inactive}\nfile 7\n")
    return folder


@pytest.mark.parametrize("version", [1, 2])
def test_files_that_could_be_dropped_do_not_count(tmp_path: Path, version: int) -> None:
    root = group(tmp_path, version, str(100 * MIB), 90 * MIB, 30 * MIB)
    assert ProcessUsage(root=root).memory() == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("version", "limit"), [(2, "max"), (1, "9223372036854771712"), (2, "0"), (2, "junk")]
)
def test_without_a_limit_there_is_no_share(tmp_path: Path, version: int, limit: str) -> None:
    assert ProcessUsage(root=group(tmp_path, version, limit, 90 * MIB, 0)).memory() is None


def test_without_a_control_group_there_is_no_share(tmp_path: Path) -> None:
    assert ProcessUsage(root=tmp_path).memory() is None


def test_a_configured_limit_counts_this_process_alone(tmp_path: Path) -> None:
    root = group(tmp_path, 2, str(100 * MIB), 100 * MIB, 0)
    share = ProcessUsage(100_000, root).memory()
    assert share is not None and 0 < share < 0.1


def test_processor_time_grows() -> None:
    usage = ProcessUsage()
    before = usage.cpu_s()
    sum(range(300_000))
    assert usage.cpu_s() > before
