"""The demo services: real processes that serve real HTTP, and the users who ask them."""
