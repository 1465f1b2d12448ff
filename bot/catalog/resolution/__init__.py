"""The catalog's models become what the rules and the adapters use."""
