"""Rules for secret values as text, shared by every provider and by arguments."""

from __future__ import annotations


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
