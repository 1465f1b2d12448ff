"""`python -m tests.scenarios`: play scenarios, show what differs, and with `--rewrite` write down what happened."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import structlog

from demo.stories.language import StoryError
from demo.stories.runner import help_text, read
from tests.scenarios.runner import README, difference, played, readme, scenarios
from tests.support.postgres import postgres_server


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.scenarios",
        description=__doc__,
        epilog="--verbs lists the lines that a file may have",
    )
    parser.add_argument("files", nargs="*", type=Path, help="instead of all in tests/scenarios/testdata")
    parser.add_argument(
        "--rewrite",
        action="store_true",
        help="write what happened into the files, and the verbs into README.md",
    )
    parser.add_argument("--verbs", action="store_true", help="list the verbs and end")
    args = parser.parse_args()
    if args.verbs:
        print(help_text(), end="")
        return 0
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if args.rewrite:
        README.write_text(readme(), encoding="utf-8")
    with postgres_server() as postgres:
        return sum([_one(path, postgres, rewrite=args.rewrite) for path in args.files or scenarios()]) and 1


def _one(path: Path, postgres, *, rewrite: bool) -> bool:
    """True when it went otherwise than written."""
    try:
        script = read(path)
    except StoryError as mistake:
        print(f"✗ {mistake}")
        return True
    found = played(script, postgres)
    differs = difference(path.read_text(encoding="utf-8"), found.text, path)
    if found.mistake:
        print(f"✗ {found.mistake}")
        print(differs)
    elif differs and rewrite:
        path.write_text(found.text, encoding="utf-8")
        print(f"· {path} rewritten; `git diff` shows what changed")
        return False
    elif differs:
        print(differs)
    else:
        print(f"✓ {path}")
    return bool(found.mistake or differs)


if __name__ == "__main__":
    sys.exit(main())
