"""The sections of a catalog as pydantic models: what may be written where, and what each key means.

The descriptions are shown by editors (`slipway config schema`) and are the reference for docs/configuration.md.
"""

from bot.catalog.models.adapters import (
    ProbeMetrics,
    ProcessTarget,
    RouterMetrics,
    ScrapeMetrics,
    Selector,
    Share,
)
from bot.catalog.models.applications import (
    Application,
    ArtifactManifest,
    CommandManifest,
    FileManifest,
    GithubManifest,
    UrlManifest,
)
from bot.catalog.models.file import CatalogFile
from bot.catalog.models.guilds import Account, Channels, Guild
from bot.catalog.models.lanes import Environment, Hold, LaneLayer, Prerequisite, Promote, Roles
from bot.catalog.models.plans import (
    Approval,
    Check,
    GateStep,
    ObserveStep,
    ShiftStep,
    SoakStep,
    Step,
    SyncCommandsStep,
    VerifyStep,
)
from bot.catalog.models.policies import Objective, Policy, Rule
from bot.catalog.models.services import (
    DirectoryReleases,
    ListedReleases,
    Ready,
    Router,
    Service,
    ServiceEnvironment,
    Spec,
    Version,
)

__all__ = [
    "Account",
    "Application",
    "Approval",
    "ArtifactManifest",
    "CatalogFile",
    "Channels",
    "Check",
    "CommandManifest",
    "DirectoryReleases",
    "Environment",
    "FileManifest",
    "GateStep",
    "GithubManifest",
    "Guild",
    "Hold",
    "LaneLayer",
    "ListedReleases",
    "Objective",
    "ObserveStep",
    "Policy",
    "Prerequisite",
    "ProbeMetrics",
    "ProcessTarget",
    "Promote",
    "Ready",
    "Roles",
    "Router",
    "RouterMetrics",
    "Rule",
    "ScrapeMetrics",
    "Selector",
    "Service",
    "ServiceEnvironment",
    "Share",
    "ShiftStep",
    "SoakStep",
    "Spec",
    "Step",
    "SyncCommandsStep",
    "UrlManifest",
    "VerifyStep",
    "Version",
]
