"""Bots in seven libraries, each a process of its own, and what they can do with a sandbox."""
