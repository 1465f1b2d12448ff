"""The lanes of the demo: which service runs in which environment, and how much traffic it gets."""

from __future__ import annotations

from dataclasses import dataclass

STABLE = "1.4.0"


@dataclass(frozen=True, slots=True)
class DemoLane:
    """A demo service in an environment. `rate`: requests per second of its users; 0 for none."""

    service: str
    environment: str
    rate: int

    @property
    def port_variable(self) -> str:
        return f"SLIPWAY_DEMO_{self.service}_{self.environment}_PORT".upper()

    def __str__(self) -> str:
        return f"{self.service}/{self.environment}"


LANES = (
    DemoLane("checkout", "staging", 50),
    DemoLane("checkout", "production", 220),
    DemoLane("search", "staging", 10),
    DemoLane("search", "production", 20),
    DemoLane("herald", "production", 0),
)
