"""The people of all tests: who asks, approves, is on call, and who may nothing."""

from __future__ import annotations

from bot.domain.rollout.model import Actor

DEV = Actor(11, "dev", frozenset({"deployer"}))
DEV2 = Actor(12, "dev2", frozenset({"deployer"}))
LEAD = Actor(13, "lead", frozenset({"release-manager"}))
LEAD2 = Actor(14, "lead2", frozenset({"release-manager"}))
ONCALL = Actor(15, "oncall", frozenset({"on-call"}))
ONCALL_DEV = Actor(16, "oncalldev", frozenset({"deployer", "on-call"}))
BOSS = Actor(17, "boss", frozenset({"deployer", "release-manager", "on-call"}))
GUEST = Actor(18, "guest")
