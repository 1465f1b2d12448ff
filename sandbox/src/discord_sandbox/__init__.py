"""A local Discord for bots: gateway, REST, a page and a JSON API, on loopback."""
