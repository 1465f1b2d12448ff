"""Alerts as pure rules: findings become alerts, time and people change them, and steps say who is called."""
