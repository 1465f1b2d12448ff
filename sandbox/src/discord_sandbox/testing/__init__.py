"""For tests of bots: people as objects, what they see, and what the bot called."""
