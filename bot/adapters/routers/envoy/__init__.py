"""Envoy as the router: discovery by files, acknowledged and counted through its admin interface."""
