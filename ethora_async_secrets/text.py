"""Rules for secret values as text, shared by every provider and by arguments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Random, so that a fingerprint in a log cannot be compared with those of guessed secrets.
_PROCESS_KEY = os.urandom(32)


def is_text(value: str) -> bool:
    """Return whether `value` can be encoded as UTF-8; lone surrogates, from undecodable bytes, cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_newline(value: str) -> str:
    """Return `value` without the newlines at its end, which editors and `echo` add; other white space is kept."""
    return value.rstrip("\r\n")


def fingerprint(texts: Iterable[str]) -> str:
    """Return what identifies these secrets in this process, and reveals nothing of them: equal for equal texts."""
    import hashlib  # loads OpenSSL, which takes 5 ms: an import of a client does not pay it

    digest = hashlib.blake2b(key=_PROCESS_KEY, digest_size=8)
    for text in texts:
        # surrogatepass: a text that cannot be encoded must not end up inside a UnicodeEncodeError
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()
