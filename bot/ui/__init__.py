"""Slipway in Discord."""
