"""Errors that ports raise. Adapters translate their own exceptions into these."""

from __future__ import annotations


class Unreachable(Exception):
    """The other side did not answer. Says nothing about whether a call was applied."""


class RateLimited(Unreachable):
    """The other side wants to be left alone for `again_s` seconds."""

    def __init__(self, sentence: str, again_s: float) -> None:
        super().__init__(sentence)
        self.again_s = again_s


class SinkRefused(Exception):
    """A sink of alerts does not take one, however often it is sent; the sentence says why."""


class StaleGeneration(Exception):
    """The target has seen a newer generation for this lane and refused the older one."""


class TargetRefused(Exception):
    """The target refused; the sentence says why (bad spec, exclusive, artifact missing)."""


class LaneTaken(Exception):
    """Another rollout is active in the lane (invariant 3)."""


class AlreadyAnswered(Exception):
    """The interaction was recorded by another process in the meantime: load again and give its answer."""


class ManifestUnavailable(Exception):
    """The manifest cannot be read; the sentence says from where, and why."""
