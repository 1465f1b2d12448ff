"""The connection to Discord: client, supervisor, IDENTIFY budget, command registration."""
