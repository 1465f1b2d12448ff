"""`/api/v1`: what people do in Discord, for pipelines and scripts. Its modules are imported by the first request."""

PREFIX = "/api/v1"
