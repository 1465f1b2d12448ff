"""Changes to the state, each announced to bots and watchers: messages, threads, interactions, commands."""
