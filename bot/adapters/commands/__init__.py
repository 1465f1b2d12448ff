"""Commands of teams: run under a supervisor that outlives Slipway, on this machine or over SSH."""
