"""Hides secrets in text: those it is told, in every usual encoding, and what looks like one.

One redactor serves logs, what releases print, and everything that targets say. It works on finished text, so it
does not matter where a secret came from.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from bot.redaction.known import HEAD, SHORTEST, KnownSecret, encoded_somehow, known, parts, peeled
from bot.redaction.shapes import HIDDEN, SENSITIVE, hidden_by_shape, scanned

# Words of a name that say that its value is secret: STRIPE_KEY, dbPass, AWS_ACCESS_KEY_ID.
_NAMES = frozenset(
    "auth authorization bearer cookie credential credentials creds dsn jwt key keys pass passphrase passwd password "
    "passwords pepper private pw pwd salt secret secrets signature token tokens apikey accesskey secretkey".split()
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def is_sensitive(name: str) -> bool:
    """Whether a key or variable of this name holds a secret."""
    return not _NAMES.isdisjoint(word.lower() for word in _WORD.findall(name)) or (
        re.search(rf"(?i){SENSITIVE}\Z", name) is not None
    )


class Redactor:
    """Hides the secrets that it was told, and what looks like a secret.

    scanning: also what the detectors of `detect-secrets` find: keys of Stripe, AWS, GitHub, Slack and many more. It
    is for text from outside, such as what releases print. The first such text loads them: a tenth of a second.
    """

    def __init__(self, known: Iterable[str] = (), *, scanning: bool = False) -> None:
        self._scanning = scanning
        self._known: list[KnownSecret] = []
        self._by_head: dict[str, set[KnownSecret]] = {}
        self.hide(known)

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide these from now on too. Values below four characters are too common to be hidden."""
        values = {each.value for each in self._known}
        values |= {part for value in secrets for part in parts(value) if len(part) >= SHORTEST}
        self._known = [known(value) for value in sorted(values, key=len, reverse=True)]
        by_head: dict[str, set[KnownSecret]] = defaultdict(set)
        for each in self._known:
            for head in each.heads:
                by_head[head].add(each)
        self._by_head = dict(by_head)

    def __call__(self, text: str) -> str:
        """`text` without secrets."""
        if self._known:
            text = self._hidden_in_layers(text) if encoded_somehow(text) else text
            text = self._without_known(text)
        text = hidden_by_shape(text)
        return scanned(text) if self._scanning else text

    def _without_known(self, text: str) -> str:
        """Only those secrets are looked for of which a form begins somewhere in the text."""
        low = text.casefold()
        heads = self._by_head.keys() & {low[at : at + HEAD] for at in range(len(low) - HEAD + 1)}
        if not heads:
            return text
        there = {each for head in heads for each in self._by_head[head]}
        for each in self._known:
            if each in there:
                text = each.hidden_in(text)
        return text

    def _hidden_in_layers(self, text: str) -> str:
        """Without those secrets that only show once an encoding, or several, are taken off."""
        layers = list(peeled(text))
        for each in self._known:
            if any(each.value in bare for bare in layers):
                text = each.in_any_mixture.sub(HIDDEN, text)
        return text
