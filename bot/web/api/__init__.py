"""`/api/v1`: what people do in Discord, for pipelines and scripts."""
