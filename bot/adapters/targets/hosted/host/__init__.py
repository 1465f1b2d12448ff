"""The host: a small program that keeps releases and their routers running when the bot is down."""
