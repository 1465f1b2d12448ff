"""The rollout: model, plans, state machine, progress, rollback, approvals."""
