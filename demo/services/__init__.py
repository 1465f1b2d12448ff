"""The demo services, real processes that serve real HTTP, and their users."""
