"""Changes, and telling bots and watchers about them: messages, threads, interactions, commands."""
