"""The catalog: a folder of YAML files that describe what is deployed where, how, by whom, and with which policy.

The settings of targets, metric sources and other adapters are given as `Kinds`: the catalog imports no adapter.
`load` returns the resolved catalog or all mistakes at once; `CatalogReloader` keeps the present one across reloads.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from bot.catalog.diagnostics import Diagnostic, SourceLocation
from bot.catalog.load import check, load
from bot.catalog.models import catalog_file
from bot.catalog.reloader import CatalogReloader, Reloaded
from bot.kinds import Kinds

__all__ = ["CatalogReloader", "Diagnostic", "Reloaded", "SourceLocation", "check", "load", "schema"]


class _Names(GenerateJsonSchema):
    """Schema generator that names a model without its target's spec."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name.partition("[")[0])


def schema(kinds: Kinds) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a catalog file, for editors."""
    made = catalog_file(kinds).model_json_schema(mode="validation", schema_generator=_Names)
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}
