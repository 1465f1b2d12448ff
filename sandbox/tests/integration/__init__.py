"""The sandbox with real clients: discord.py, hikari, and a hand-written gateway client."""
