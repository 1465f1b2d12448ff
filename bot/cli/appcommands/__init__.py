"""`slipway commands`."""
