"""Discord interface: cards, charts, notices, interactions, gateway."""
