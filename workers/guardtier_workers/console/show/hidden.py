"""Hidden: which characters of an action nobody would see, how many of each, and what they do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from guardtier_workers.cli.safe_text import is_hidden
from guardtier_workers.console.show.characters import TAGS, Oddity, is_tag, oddity

KINDS: Final = 12  #: of characters that are told; the most frequent ones
_CANDIDATES = re.compile(r"[^ -~\n\t]")


class Count(NamedTuple):
    said: Oddity
    times: int


def hidden_in(texts: Iterable[str]) -> list[Count]:
    """What there is in these texts. Line breaks and tabs, which code is full of, are not counted."""
    found: Counter[str] = Counter()
    for text in texts:
        found.update(_CANDIDATES.findall(text))
    odd = Counter({char: times for char, times in found.items() if is_hidden(char)})
    tags = {char: times for char, times in odd.items() if is_tag(char)}
    counts = [Count(TAGS, sum(tags.values()))] if tags else []
    for char in tags:
        del odd[char]
    return [*counts, *(Count(oddity(char), times) for char, times in odd.most_common(KINDS))]
