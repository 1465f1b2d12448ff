"""Slipway itself: `run`, `host`, `doctor`, `migrate`, `config`, `token`, `backup`, `restore`, `archive`."""
