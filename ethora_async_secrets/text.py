"""What counts as text in a secret's value: one rule for every provider, and for values that are passed in."""

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
