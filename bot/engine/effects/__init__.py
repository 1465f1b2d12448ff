"""The outbox and what executes its effects."""
