"""Rollouts: `bootstrap`, `deploy`, `rollback`, `approve`, `act`, `wait`, `history`, `releases`, `status`, `abort`."""
