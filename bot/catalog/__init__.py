"""The catalog: a folder of YAML files that says what is deployed where, how, by whom, and judged by what.

`load` gives the resolved catalog or all mistakes at once; `CatalogReloader` keeps the present one over reloads.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from bot.catalog.diagnostics import Diagnostic, SourceLocation
from bot.catalog.load import check, load
from bot.catalog.models import CatalogFile
from bot.catalog.reloader import CatalogReloader, Reloaded

__all__ = ["CatalogReloader", "Diagnostic", "Reloaded", "SourceLocation", "check", "load", "schema"]


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a catalog file, for editors."""
    made = CatalogFile.model_json_schema(mode="validation")
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}
