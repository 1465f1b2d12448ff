"""Holder of the present catalog; a reload only replaces it by one without mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.catalog.diagnostics import Diagnostic
from bot.catalog.load import check, load
from bot.domain.config import Catalog
from bot.kinds import Kinds


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Result of a reload. With `errors` nothing changed. advice: what is no mistake, and yet worth a look."""

    changed: bool
    errors: tuple[Diagnostic, ...] = ()
    advice: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The result as a sentence, for log, Discord and terminal."""
        if self.errors:
            lines = "\n".join(str(e) for e in self.errors)
            return f"The catalog was not reloaded; the old one stays in use. Mistakes: {len(self.errors)}.\n{lines}"
        return "The catalog was reloaded." if self.changed else "The catalog has not changed."


class CatalogReloader:
    """The present catalog as `current`. Read it at each use, since a reload replaces it.

    loaded: called with each catalog before it becomes the present one.
    """

    def __init__(
        self,
        path: Path,
        kinds: Kinds,
        environ: Mapping[str, str] | None = None,
        *,
        loaded: Callable[[Catalog], object] = lambda catalog: None,
    ) -> None:
        """Load the catalog in folder `path`, with adapters of `kinds`. Raises `BadCatalog`."""
        self._path = path
        self._kinds = kinds
        self._environ = environ
        self._loaded = loaded
        self._current = load(path, kinds, environ, asking=True)
        loaded(self._current)

    @property
    def current(self) -> Catalog:
        return self._current

    def reload(self) -> Reloaded:
        """Read the folder again. Blocks for a few milliseconds, and seconds when a server that is asked about its
        queries is away; never raises for mistakes in the files.
        """
        catalog, mistakes = check(self._path, self._kinds, self._environ, asking=True)
        if mistakes:
            return Reloaded(False, mistakes)
        changed = catalog.digest != self._current.digest
        if changed:
            self._loaded(catalog)
            self._current = catalog
        return Reloaded(changed)
