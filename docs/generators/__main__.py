"""`make reference`: write the pages that are made from code. `--check`: fail if one is out of date.

The pages are in the repository, so that they can be read without the site and a change of them is seen in review.
"""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generators import catalog, command_line, metrics, settings

FOLDER = Path(__file__).resolve().parents[1] / "reference"
PAGES = {
    "settings.md": settings.page,
    "catalog.md": catalog.page,
    "command-line.md": command_line.page,
    "metrics.md": metrics.page,
}


def main() -> int:
    old = [name for name, page in PAGES.items() if _read(FOLDER / name) != page()]
    if "--check" not in sys.argv:
        for name in old:
            (FOLDER / name).write_text(PAGES[name](), encoding="utf-8")
            print(f"written: docs/reference/{name}")
        return 0
    for name in old:
        print(f"docs/reference/{name} is out of date: `make reference` writes it.", file=sys.stderr)
    return 1 if old else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
