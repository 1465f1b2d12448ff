"""MkDocs hooks: the examples become a page, and links that leave `docs/` lead to it."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from mkdocs.structure.files import File, Files

from docs.generators import examples

EXAMPLES = "reference/examples.md"
_LINK = re.compile(r"\]\((?P<path>[^()#\s:]+)\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add the page of examples: on the site nobody can follow a link into the repository."""
    files.append(File.generated(config, EXAMPLES, content=examples.page()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Lead links to shipped examples to where the site shows them; MkDocs refuses all others that lead nowhere."""
    here = posixpath.dirname(page.file.src_uri)
    anchors = examples.anchors()

    def rewrite(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", here, link["path"]))
        if target not in anchors:
            return link[0]
        return f"]({posixpath.relpath(EXAMPLES, here or '.')}#{anchors[target]})"

    return _LINK.sub(rewrite, markdown)
