"""Reports: what a period shows of deployments, availability and alerts, as pure functions on records."""
