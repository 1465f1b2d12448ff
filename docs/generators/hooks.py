"""MkDocs hooks: examples and the sandbox's API become pages, and links that leave `docs/` lead to them."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from mkdocs.structure.files import File, Files

from docs.generators import examples

EXAMPLES = "reference/examples.md"
SANDBOX_API = "reference/sandbox-api.md"
_LINK = re.compile(r"\]\((?P<path>[^()#\s:]+)\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add pages for files outside `docs/`: the site has no links into the repository."""
    files.append(File.generated(config, EXAMPLES, content=examples.page()))
    api = (examples.ROOT / examples.SANDBOX_API).read_text(encoding="utf-8")
    files.append(File.generated(config, SANDBOX_API, content=api))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Lead links to files outside `docs/` to where the site shows them; MkDocs refuses all others."""
    here = posixpath.dirname(page.file.src_uri)
    anchors = examples.anchors()

    def rewrite(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", here, link["path"]))
        if target == examples.SANDBOX_API:
            return f"]({posixpath.relpath(SANDBOX_API, here or '.')})"
        if target not in anchors:
            return link[0]
        return f"]({posixpath.relpath(EXAMPLES, here or '.')}#{anchors[target]})"

    return _LINK.sub(rewrite, markdown)
