"""The catalog: a folder of YAML files that says what is deployed where, how, by whom, and judged by what.

`load` gives the resolved catalog or all mistakes at once; `CatalogHolder` keeps the present one over reloads.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from bot.catalog.holder import CatalogHolder, Reloaded
from bot.catalog.load import check, load
from bot.catalog.mistakes import Mistake, Place
from bot.catalog.models import CatalogFile

__all__ = ["CatalogHolder", "Mistake", "Place", "Reloaded", "check", "load", "schema"]


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a catalog file, for editors."""
    made = CatalogFile.model_json_schema(mode="validation")
    return {"$schema": GenerateJsonSchema.schema_dialect, **made}
