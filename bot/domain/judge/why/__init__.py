"""Verdicts opened: replayed from the ticks that are kept, with what would have changed them."""

from bot.domain.judge.why.rollout_replay import Block
from bot.domain.judge.why.why import Line, Why, explained

__all__ = ["Block", "Line", "Why", "explained"]
