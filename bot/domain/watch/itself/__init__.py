"""Slipway itself: what is measured of a process, and which measurements are a finding."""
