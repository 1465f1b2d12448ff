"""Loading of a catalog from its folder: files to values, values to models, models to the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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
    sections = validate(document, kinds)
    catalog = resolve(document, sections)
    if asking and not document.mistakes:
        examine(document, sections)
    return catalog, tuple(sorted(set(document.mistakes)))


def load(
    folder: Path, kinds: Kinds, environ: Mapping[str, str] | None = None, *, asking: bool = False
) -> Catalog:
    """The catalog in `folder`. Raises `BadCatalog` with every mistake in its sentence, one per line."""
    catalog, mistakes = check(folder, kinds, environ, asking=asking)
    if mistakes:
        raise bad_catalog(mistakes)
    return catalog
