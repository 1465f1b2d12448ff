"""Incidents as pure rules: who has one, its timeline, and its times against targets."""
