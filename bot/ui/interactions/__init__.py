"""Interactions: commands and presses, the people behind them, and their answers."""
