"""Releases from the tags of an image in a registry."""
