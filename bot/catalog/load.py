"""Reading a catalog from its folder: files to values, values to models, models to the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.catalog.diagnostics import Diagnostic, bad_catalog
from bot.catalog.resolution.resolve import resolve
from bot.catalog.validate import validate
from bot.catalog.yaml_source import read_folder
from bot.domain.config import Catalog
from bot.kinds import Kinds


def check(
    folder: Path, kinds: Kinds, environ: Mapping[str, str] | None = None
) -> tuple[Catalog, tuple[Diagnostic, ...]]:
    """The catalog in `folder` and every mistake in it; with mistakes the catalog is not to be used.

    kinds: the adapters that it may name. `environ` is what `${NAME}` refers to, by default the process environment.
    """
    document = read_folder(folder, environ)
    catalog = resolve(document, validate(document, kinds))
    return catalog, tuple(sorted(set(document.mistakes)))


def load(folder: Path, kinds: Kinds, environ: Mapping[str, str] | None = None) -> Catalog:
    """The catalog in `folder`. Raises `BadCatalog` whose sentence lists every mistake, one a line."""
    catalog, mistakes = check(folder, kinds, environ)
    if mistakes:
        raise bad_catalog(mistakes)
    return catalog
