"""The host: a small program that keeps releases and their routers running, whatever happens to the bot."""
