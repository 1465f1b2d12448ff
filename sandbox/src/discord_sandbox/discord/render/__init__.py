"""How things look in Discord's JSON."""
