"""What people ask of the engine: deploys, actions, queries."""
