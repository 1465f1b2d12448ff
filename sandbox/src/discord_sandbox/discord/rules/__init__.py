"""Validation of request bodies, and the objects that Discord makes of them."""
