"""`make mutate`: how many small changes to `bot/domain` its unit tests notice, by package."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

from tests.support.paths import ROOT

GOAL = 95.0
NOTICED = {"killed", "timeout"}
NOT_RUN = "not checked"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument(
        "only", nargs="*", help="modules or packages, such as bot.domain.judge; run again in any case"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--report", action="store_true", help="print the last results, and run nothing")
    asked = parser.parse_args()
    os.chdir(ROOT)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    failed = 0 if asked.report else _run(asked.only, asked.jobs)
    return failed or _report()


def _run(only: list[str], jobs: int) -> int:
    # mutmut copies the tests, and does not delete from the copy.
    shutil.rmtree(ROOT / "mutants" / "tests", ignore_errors=True)
    # What is asked for runs again in any case, and the rest keeps its results.
    for data in () if only else _results():
        # What was killed stays killed until its function changes. The rest may have a test by now, or more time.
        codes = data.exit_code_by_key.items()
        kept = {key: code if status_by_exit_code[code] == "killed" else None for key, code in codes}
        if kept != data.exit_code_by_key:
            data.exit_code_by_key = kept
            data.save()
    names = [name if "*" in name else f"{name}.*" for name in only]
    mutmut = Path(sys.executable).with_name("mutmut")
    return subprocess.run([mutmut, "run", "--max-children", str(jobs), *names], check=False).returncode


def _results() -> Iterator[SourceFileMutationData]:
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        yield data


def _report() -> int:
    found: dict[str, Counter[str]] = {}
    missed = []
    for data in _results():
        package = "/".join(data.path.parts[:3]) if len(data.path.parts) > 3 else "bot/domain/*.py"
        for key, code in data.exit_code_by_key.items():
            status = status_by_exit_code[code]
            found.setdefault(package, Counter())[status] += 1
            if status not in NOTICED | {NOT_RUN}:
                missed.append(f"{status}: {key}")
    print("\n".join(["", *sorted(missed), ""]))
    print(
        f"{'':28}{'mutants':>8}{'not run':>9}{'killed':>8}{'timeout':>9}{'survived':>10}{'no test':>9}{'score':>8}"
    )
    total: Counter[str] = Counter()
    for package, counts in sorted(found.items()):
        print(_line(package, counts))
        total += counts
    print(_line("in all", total))
    return int(_score(total) < GOAL)


def _score(counts: Counter[str]) -> float:
    """Per cent of the mutants that were run which were noticed; one that made the tests hang was."""
    run = counts.total() - counts[NOT_RUN]
    return 100 * sum(counts[status] for status in NOTICED) / run if run else 0.0


def _line(name: str, counts: Counter[str]) -> str:
    known = (NOT_RUN, "killed", "timeout", "survived", "no tests")
    assert set(counts) <= set(known), counts
    figures = (f"{counts[status]:>{width}}" for status, width in zip(known, (9, 8, 9, 10, 9), strict=True))
    return f"{name:<28}{counts.total():>8}{''.join(figures)}{_score(counts):>7.1f}%"


if __name__ == "__main__":
    sys.exit(main())
