"""History of a lane: what stable served, how its failures depend on each other, and replays of the judge on it."""
