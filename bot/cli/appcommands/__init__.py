"""`slipway commands`: slash commands from the command line."""
