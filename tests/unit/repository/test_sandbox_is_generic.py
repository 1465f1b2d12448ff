"""The sandbox is for any bot: no word of Slipway in its code, page, tests and documents."""

import re

from tests.support.paths import ROOT

SANDBOX = ROOT / "sandbox"
WORDS = re.compile(
    r"slipway|checkout|greeter|herald|deploy|rollout|rollback|canary|on-?call|harbor|release-manager",
    re.IGNORECASE,
)
TEXT = {".py", ".js", ".css", ".html", ".svg", ".md", ".toml", ".json"}


def test_no_file_of_the_sandbox_says_a_word_of_slipway() -> None:
    files = [
        file
        for file in SANDBOX.rglob("*")
        if file.suffix in TEXT and not {".venv", ".environments", "build", "dist"} & {*file.parts}
    ]
    assert len(files) > 120
    found = [
        f"{file.relative_to(SANDBOX)}:{number}: {line.strip()[:80]}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if WORDS.search(line)
    ]
    assert found == []
