"""Watching Slipway itself."""
