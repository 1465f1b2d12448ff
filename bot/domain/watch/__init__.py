"""Watching what is deployed: findings, alerts, and who is told of them."""
