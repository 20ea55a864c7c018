"""What secrets look like in texts from outside."""

from __future__ import annotations

import re

# Possessive quantifiers wherever one text could match twice: input from outside must not cause backtracking.
_JWT = re.compile(r"(?<![\w-])(?:(?!eyJ)[\w-])*+eyJ[\w-]{4,}+(?:\.[\w-]*+){1,4}+")
_WITH_SCHEME = re.compile(r"(?<![A-Za-z])(?P<before>(?:bearer|basic|jwt)\s++)(?P<value>[\w.~+/=-]{8,}+)", re.IGNORECASE)
_WITH_NAME = re.compile(
    r"""
    (?P<before>
        (?:pass(?:word|wd)?|secret|token|api[_-]?key|authorization|credential|cookie)s?+["']?+
        \s*+[=:]\s*+[\[({]?+
        (?:(?:bearer|basic|jwt|digest|token)\s++)?+
    )
    (?:"(?P<double>(?:[^"\\]|\\.)++)"?+ | '(?P<single>(?:[^'\\]|\\.)++)'?+ | (?P<value>[^\s"',;&}\[\]()]{3,}+))
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PROSE = """
    a an and any are as at audience auth authentication authorisation authorization bad basic be bearer before
    but by can can't cannot challenge character characters claim contain contains could credential credentials
    decode decoding did didn't digest do does doesn't don't empty enter error expected expiration expired
    expires failed failure field for format from given had has have header if in incorrect invalid is isn't
    issuer it its jwt key length less longer lookup malformed match maximum may mechanism method mfa min
    minimum mismatch missing more must need needs new no none not null of older on only or password passwords
    payload please provided realm refused rejected required reset revoked schema scheme session shall shorter
    should signature string strings strong subject that the their there this to token tokens too type
    undefined unknown unsupported url use used user username value values verification was wasn't weak were
    will with without wrong you your
"""
_FIRST_WORDS = frozenset(_PROSE.split())
"""First words of sentences about secrets: "password: must be at least 6 characters" contains no password."""


def mask_shapes(text: str, mask: str) -> str:
    """Return the text with everything that looks like a secret replaced by `mask`."""

    def mask_value(found: re.Match[str]) -> str:
        group = found.lastgroup or "value"
        words = found[group].split(maxsplit=1)
        quoted = group != "value"
        if words and words[0].strip(".,:;!?").lower() in _FIRST_WORDS and (not quoted or len(words) > 1):
            return found[0]
        start, end = found.start(group) - found.start(), found.end(group) - found.start()
        return f"{found[0][:start]}{mask}{found[0][end:]}"

    text = _JWT.sub(mask, text)
    text = _WITH_SCHEME.sub(mask_value, text)
    return _WITH_NAME.sub(mask_value, text)
