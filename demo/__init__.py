"""Slipway's demo: launcher, services, traffic and stories."""
