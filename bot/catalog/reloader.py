"""The present catalog, which a reload replaces only by one without mistakes."""

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
    """What a reload did. With `errors` nothing changed."""

    changed: bool
    errors: tuple[Diagnostic, ...] = ()

    @property
    def sentence(self) -> str:
        """For the log, the admin's answer and the terminal."""
        if self.errors:
            lines = "\n".join(str(e) for e in self.errors)
            return f"The catalog was not reloaded, the old one stays. Mistakes: {len(self.errors)}.\n{lines}"
        return "The catalog was reloaded." if self.changed else "The catalog has not changed."


class CatalogReloader:
    """Readers take `current` each time they need it and never keep it across an await that matters.

    loaded: told of each catalog before it is the present one.
    """

    def __init__(
        self,
        path: Path,
        kinds: Kinds,
        environ: Mapping[str, str] | None = None,
        *,
        loaded: Callable[[Catalog], object] = lambda catalog: None,
    ) -> None:
        """Loads the catalog in folder `path`, which may name adapters of `kinds`. Raises `BadCatalog`."""
        self._path = path
        self._kinds = kinds
        self._environ = environ
        self._loaded = loaded
        self._current = load(path, kinds, environ)
        loaded(self._current)

    @property
    def current(self) -> Catalog:
        return self._current

    def reload(self) -> Reloaded:
        """Read the folder again. Blocking, a few milliseconds; never raises for what is in the files."""
        catalog, mistakes = check(self._path, self._kinds, self._environ)
        if mistakes:
            return Reloaded(False, mistakes)
        changed = catalog.digest != self._current.digest
        if changed:
            self._loaded(catalog)
            self._current = catalog
        return Reloaded(changed)
