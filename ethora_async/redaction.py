"""Keep secrets out of logs, errors and other output."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "•••"


class Secret:
    """A text that is revealed only by an explicit call.

    `repr`, `str`, `format` and logging print a mask, `attrs.asdict` keeps it wrapped, and pickling raises an error.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        import hmac  # takes 5 ms, for OpenSSL: an import of a client does not pay it

        # surrogatepass: a text that UTF-8 cannot encode must not end up inside a UnicodeEncodeError
        mine, others = (secret._text.encode("utf-8", "surrogatepass") for secret in (self, other))  # noqa: SLF001
        return hmac.compare_digest(mine, others)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        msg = "a secret cannot be pickled: it would leave the process in clear; pass what it was made from instead"
        raise TypeError(msg)


def wrapped(value: Any) -> Any:
    """Wrap text as a `Secret`; return anything else unchanged.

    Methods first rebind a password or token argument to the result, because a later error shows their frames.
    """
    return Secret(value) if isinstance(value, str) else value


class WrongType(Secret):
    """A placeholder for a credential that is not text. It keeps the name of the value's type, but not the value.

    Attributes:
        kind: The name of the type.
    """

    __slots__ = ("kind",)

    kind: str

    def __init__(self, value: object) -> None:
        super().__init__("")
        self.kind = type(value).__name__


def masked_argument(value: object) -> Secret | None:
    """Mask a credential that a caller passed in, before anything can fail: a later error shows the caller's frames.

    Args:
        value: Text, which is wrapped; a `Secret` or None, returned as they are; anything else becomes a `WrongType`.
    """
    if value is None or isinstance(value, Secret):
        return value
    return Secret(value) if isinstance(value, str) else WrongType(value)


def masked_credential(value: object) -> Any:
    """Mask an argument that is a secret or a `SecretProvider`, as `masked_argument` does; a provider is returned."""
    return value if hasattr(value, "fetch") else masked_argument(value)


def masked_address(value: object) -> Any:
    """Mask an argument that names a server, as `masked_argument` does: a password may have been typed into it."""
    return masked_argument(value)


_SENSITIVE_KEY = re.compile(r"pass(word|wd)?|secret|token|api_?key|authorization|credential|cookie|jwt", re.IGNORECASE)
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}")
_MAX_READ = 4096
_MAX_SHOWN = 300
_MARKS = " \n\t\"',;&}"


def scrub(text: str, known: Iterable[str | Secret] = ()) -> str:
    """Prepare text from outside for an error message: short, one line, secrets masked.

    Known secrets are masked wherever they occur, also as JSON, HTML or URLs spell them. Anything else is masked if it
    looks like a token, or is the value of something called password, secret, token, key, credential or cookie;
    sentences about such things stay readable. Takes time linear in the length of `text`.

    Args:
        text: Text from a server, a file or a person.
        known: Secrets known to the caller.
    """
    # Longest first: masking a secret that is part of a longer one would leave the rest of the longer one.
    texts = {value.reveal() if isinstance(value, Secret) else value for value in known}
    spellings = {spelling for value in texts if value for spelling in _spellings(value)}
    for value in sorted(spellings, key=len, reverse=True):
        text = text.replace(value, MASK)
    if len(text) > _MAX_READ:
        # The last word may be half a secret, which no pattern would recognise.
        text = f"{text[: max(text.rfind(mark, 0, _MAX_READ) for mark in _MARKS) + 1]}…"
    text = _mask_shapes(text)
    text = "".join(character if character.isprintable() else " " for character in text)
    text = " ".join(text.split())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _mask_shapes(text: str) -> str:
    from ethora_async.secret_shapes import mask_shapes  # its patterns: many a process has nothing to mask

    return mask_shapes(text, MASK)


def _spellings(value: str) -> Iterator[str]:
    """Yield the forms in which servers echo the value: plain, in JSON, in HTML, in a URL."""
    yield value
    if value.isalnum() and value.isascii():
        return
    import html  # a thousand names of characters, for the secrets that have special ones
    import json

    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield html.escape(value)
    yield html.escape(value).replace("&#x27;", "&#39;")
    # A lone surrogate cannot be part of a URL.
    encodable = value.encode("utf-8", "replace")
    yield quote(encodable)
    yield quote(encodable, safe="")
    yield quote_plus(encodable)


def request_id(candidate: object) -> str | None:
    """Return a platform's correlation id if the header holds one; quote nothing else that a server puts there."""
    if not isinstance(candidate, str) or not _REQUEST_ID.fullmatch(candidate) or _mask_shapes(candidate) != candidate:
        return None
    return candidate


def sensitive_values(data: Any) -> Iterator[str]:
    """Yield every string under a key such as ``password`` or ``token``, at any depth of decoded JSON."""
    pending: list[tuple[bool, Any]] = [(False, data)]
    while pending:
        sensitive, value = pending.pop()
        if isinstance(value, dict):
            pending.extend((_is_sensitive(str(key)), inner) for key, inner in value.items())
        elif isinstance(value, list):
            pending.extend((sensitive, inner) for inner in value)
        elif sensitive and isinstance(value, str):
            yield value


_NEVER_SECRET = frozenset({bool, int, float, type(None)})


DEEPEST = 100
"""Nesting depth beyond which unknown fields are dropped: no real record has them, and each level costs stack."""


def sealed(data: Any, *, sensitive: bool = False, _level: int = 0) -> Any:
    """Return decoded JSON with every text under a key such as ``password`` or ``token`` wrapped as a `Secret`.

    Values nested deeper than a hundred levels become None.
    """
    if isinstance(data, (dict, list)) and _level >= DEEPEST:
        return None
    if isinstance(data, dict):
        # Most values need no call, which matters because this runs for every record that is read.
        return {
            key: value
            if type(value) in _NEVER_SECRET or (type(value) is str and not _is_sensitive(key))
            else sealed(value, sensitive=_is_sensitive(key), _level=_level + 1)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [sealed(value, sensitive=sensitive, _level=_level + 1) for value in data]
    return Secret(data) if sensitive and isinstance(data, str) else data


@lru_cache(maxsize=1024)
def _is_sensitive(key: str) -> bool:
    return bool(_SENSITIVE_KEY.search(key))
