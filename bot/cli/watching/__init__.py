"""What lanes serve, and what people are told of it: health checks, alerts, incidents, on-call, silences, reports."""
