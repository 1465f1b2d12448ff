"""Loading of a catalog from its folder: files to values, values to models, models to the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.catalog.diagnostics import Diagnostic, bad_catalog
from bot.catalog.resolution.resolve import resolve
from bot.catalog.validate import examine, validate
from bot.catalog.yaml_source import read_folder
from bot.domain.config import Catalog
from bot.kinds import Kinds


def check(
    folder: Path, kinds: Kinds, environ: Mapping[str, str] | None = None, *, asking: bool = False
) -> tuple[Catalog, tuple[Diagnostic, ...]]:
    """The catalog in `folder` and every mistake in it; a catalog with mistakes must not be used.

    kinds: the adapters that it may use. environ: variables for `${NAME}`, by default the process environment.
    asking: whether servers are asked what only they can tell, which takes a few seconds when they are away.
    """
    document = read_folder(folder, environ)
    sections = validate(document, kinds.only(_kinds_in(document.root)))
    catalog = resolve(document, sections)
    if document.mistakes:  # which are told with every kind in mind, not only with those that the files name
        document = read_folder(folder, environ)
        sections = validate(document, kinds)
        catalog = resolve(document, sections)
    if asking and not document.mistakes:
        examine(document, sections)
    return catalog, tuple(sorted(set(document.mistakes)))


def _kinds_in(written: Any) -> Iterator[str]:
    """The kinds of adapters that the files name: an adapter that they do not name is not even imported."""
    if isinstance(written, Mapping):
        kind = written.get("kind")
        if isinstance(kind, str):
            yield kind
        for each in written.values():
            yield from _kinds_in(each)
    elif isinstance(written, list):
        for each in written:
            yield from _kinds_in(each)


def load(
    folder: Path, kinds: Kinds, environ: Mapping[str, str] | None = None, *, asking: bool = False
) -> Catalog:
    """The catalog in `folder`. Raises `BadCatalog` with every mistake in its sentence, one per line."""
    catalog, mistakes = check(folder, kinds, environ, asking=asking)
    if mistakes:
        raise bad_catalog(mistakes)
    return catalog
