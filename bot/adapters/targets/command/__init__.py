"""The command target: whatever deploys a service, as commands that Slipway runs."""
