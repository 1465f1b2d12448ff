"""The commands of `slipway`, each a few lines: what they do is elsewhere."""
