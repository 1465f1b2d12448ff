"""Manifests: the full list of an application's commands, as Discord takes it."""
