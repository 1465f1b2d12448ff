"""What a rollout changes in the source code: commits, their authors, and where to read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.domain.formatting import counted

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:-]{1,100}(/[A-Za-z0-9._~-]{1,100}){2,6}")
# Where a page of a comparison is, by host; no other host is guessed.
_PAGES = {"github.com": "/compare/", "gitlab.com": "/-/compare/", "codeberg.org": "/compare/"}


@dataclass(frozen=True, slots=True)
class Changes:
    """Commits between the release that serves and the one that is to serve.

    before, after: the releases' commits, "" where one is not known. reading: they are being looked up. added, removed:
    commits that only `after` or only `before` has; None where they are not known. authors: of those that are
    added, or else removed, most commits first; others: how many more there are. read: of how many of these commits the
    authors are, if not of all.
    link: where people can read the commits. problem: why they could not be looked up, as a sentence.
    """

    before: str
    after: str
    reading: bool = False
    added: int | None = None
    removed: int | None = None
    authors: tuple[str, ...] = ()
    others: int = 0
    read: int | None = None
    link: str = ""
    problem: str = ""

    @property
    def sentence(self) -> str:
        """What is known, beyond the commits themselves; empty if nothing is."""
        if self.reading:
            return "The commits are being looked up."
        if self.problem:
            return f"What changes could not be read: {self.problem}"
        if self.added is None or self.removed is None:
            return ""
        if not self.added and not self.removed:
            return "No commits differ."
        if not self.added:
            return f"Goes back {counted(self.removed, 'commit')}{self._by()}."
        missing = (
            f"{counted(self.removed, 'commit')} of the present release {'is' if self.removed == 1 else 'are'}"
        )
        return f"{counted(self.added, 'commit')}{self._by()}{f'; {missing} missing' if self.removed else ''}."

    def _by(self) -> str:
        if not self.authors:
            return ""
        names = [*self.authors, *([f"{self.others} more"] if self.others else [])]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        return f" by {listed}" + (f" (authors of the first {self.read})" if self.read is not None else "")


def known_changes(before: str, after: str, address: str) -> Changes | None:
    """What the releases themselves say; None where they say nothing. address: of the repository, for people."""
    if not is_commit(after) or before == after:
        return None
    before = before if is_commit(before) else ""
    return Changes(before, after, link=page(address, before, after))


def is_commit(text: str) -> bool:
    return _COMMIT.fullmatch(text) is not None


def page(address: str, before: str, after: str, *, github: bool = False) -> str:
    """Address of the comparison, or of the one commit that is known; empty for a host with unknown pages.

    github: the repository is on GitHub or a GitHub Enterprise server, whatever its name.
    """
    address = address.removesuffix("/").removesuffix(".git")
    between = "/compare/" if github else _PAGES.get(urlsplit(address).hostname or "", "")
    if not between or not _ADDRESS.fullmatch(address):
        return ""
    if before:
        return f"{address}{between}{before}...{after}"
    return f"{address}{between.replace('compare', 'commit')}{after}"
