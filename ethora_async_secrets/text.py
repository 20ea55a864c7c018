"""One rule for secret values as text, for every provider and for arguments."""

from __future__ import annotations


def is_text(value: str) -> bool:
    """Say whether `value` can be written as UTF-8; lone surrogates, from undecodable bytes, cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def without_newline(value: str) -> str:
    """Return `value` without the newlines at its end, which editors and `echo` add; other white space belongs to it."""
    return value.rstrip("\r\n")
