"""Split a display name into the first and last name that a platform requires."""

from __future__ import annotations

import re

from ethora_async.errors import InvalidInputError

_COMMAS = re.compile("[,，،]")

_PARTICLES = frozenset(
    (
        *("af", "al", "av", "bin", "da", "das", "de", "degli", "dei", "del", "della", "den", "der", "di", "do", "dos"),
        *("du", "e", "el", "ibn", "la", "le", "los", "ten", "ter", "van", "von", "y", "zu", "zum", "zur"),
        *("'t", "d'", "\u2019t"),
    )
)
"""Words, in lower case, with which a last name may begin."""

_SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv", "phd", "md", "esq", "jnr", "snr"))
"""Words that belong to the name before them, with or without full stops and in any case."""


def split_name(display_name: str) -> tuple[str, str]:
    """Split a display name into first and last name; neither is ever empty, and together they read like the original.

    * ``Ann Mary Lee`` → ``Ann Mary``, ``Lee``: the last word is the last name.
    * ``Ludwig van der Rohe`` → ``Ludwig``, ``van der Rohe``: the last name begins at the first lower-case particle
      (van, von, de, della, bin, …) that is not the first word.
    * ``Dr. Ann Lee`` → ``Dr. Ann``, ``Lee``: titles stay with the first name. ``Ann Lee Jr.`` → ``Ann``, ``Lee Jr.``:
      suffixes stay with the last name.
    * ``Lee, Ann Mary`` → ``Ann Mary``, ``Lee``: a comma reverses the order, except before such a suffix.
    * ``Madonna`` → ``Madonna``, ``Madonna``: a single name is repeated, since the platform requires a last name and
      many servers reject one of a single letter (docs/platforms/ethora.md#users-batch). So is a name in a script
      without spaces between its parts, such as ``王小明``: only the person knows where to split it.
    * ``Ann Mary B`` → ``Ann``, ``Mary B``: a last name of one letter, which those servers reject, takes the word before
      it, if there is one to spare.

    White space is trimmed, and runs of it become one space. No other character is lost except separating commas.

    Raises:
        InvalidInputError: it is not text, or it is empty.
    """
    if not isinstance(display_name, str):
        msg = f"display_name must be text, not {type(display_name).__name__}"
        raise InvalidInputError(msg, field="display_name")
    parts = [words for part in _COMMAS.split(display_name) if (words := " ".join(part.split()))]
    if not parts:
        msg = "display_name is empty"
        raise InvalidInputError(msg, field="display_name")
    suffixes: list[str] = []
    while len(parts) > 1 and _is_suffix(parts[-1]):
        suffixes.insert(0, parts.pop())
    if len(parts) == 1:
        first, last = _in_order(parts[0].split())
    else:
        first, last = ", ".join(parts[1:]), parts[0]
    return first, ", ".join([last, *suffixes])


def _in_order(words: list[str]) -> tuple[str, str]:
    if len(words) == 1:
        return words[0], words[0]
    end = len(words)
    while end > 2 and _is_suffix(words[end - 1]):
        end -= 1
    start = next((place for place in range(1, end - 1) if words[place] in _PARTICLES), end - 1)
    while start > 1 and len(" ".join(words[start:])) < 2:
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


def _is_suffix(word: str) -> bool:
    return word.replace(".", "").lower() in _SUFFIXES
