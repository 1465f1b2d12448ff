"""Connection to Discord: client, supervisor, IDENTIFY budget, command registration."""
