"""Self-monitoring: what is measured of a process of Slipway, and which measurements are a finding."""
