"""Provider URLs: `env:`, `file:///run/secrets/ethora`, `aws-sm:///NAME`, `vault:///MOUNT/PATH`, and chains of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import attrs

from ethora_async_secrets.chain import ChainProvider
from ethora_async_secrets.env import EnvProvider
from ethora_async_secrets.errors import BadProviderURLError
from ethora_async_secrets.files import FileProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ethora_async_secrets.provider import SecretProvider

_PARTS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,19}):(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?P<fragment>#.*)?"
)
_FORMS: Final = "Write env:, file:///run/secrets/ethora, aws-sm:///NAME-or-ARN or vault://host:8200/MOUNT/PATH."
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def provider_from_url(
    url: str, *, environ: Mapping[str, str] | None = None, required: Iterable[str] = ()
) -> SecretProvider:
    """Build the provider for `url`; several URLs, separated by spaces, make a `ChainProvider`.

    * `env:` reads `environ` (default: the live environment). `env:?names=A,B` reads only these variables,
      `env:?prefix=CHAT_` those with this prefix (default `ETHORA_`).
    * `file:///run/secrets/ethora` (also `file:/…` and `file://localhost/…`): a directory, `.json` or `.env` file. The
      path is absolute, since a relative one would depend on the working directory; write a space in it as `%20`.
    * `aws-sm:///NAME-or-ARN?region=&profile=&role_arn=&endpoint=&key=`: a secret of AWS Secrets Manager; the parameters
      are optional, and those of `AwsSecretsManagerProvider`. AWS's own variables come from the live environment.
    * `vault://host:8200/MOUNT/PATH?auth=token|approle|kubernetes|jwt&role=&kv=2&namespace=&auth_mount=&mount=`: a
      secret of Vault or OpenBao; without a host (`vault:///MOUNT/PATH`) at `VAULT_ADDR`. The scheme is `VAULT_ADDR`'s
      if that has the same host and port, else http on loopback and https anywhere else. Parameters are those of
      `VaultProvider`. Write a mount of several parts as `team%2Fkv`, or repeat it as `mount=team/kv`.

    In a chain, a source that lacks one of the `required` names is skipped.

    Raises `BadProviderURLError`, which is also a `ValueError`; for an unknown scheme it lists the known ones. A URL
    with credentials is rejected, and messages quote nothing of the URL but a known scheme.
    """
    written = url.split()
    if not written:
        raise BadProviderURLError(f"No provider URL given. {_FORMS}")
    providers = [
        _build(one, environ, f"Provider URL {number} of {len(written)}") for number, one in enumerate(written, start=1)
    ]
    return providers[0] if len(providers) == 1 else ChainProvider(providers, required=required)


@attrs.frozen
class _URL:
    """One provider URL, decoded; `where` begins every message about it."""

    where: str
    authority: str
    path: str
    encoded_path: str
    query: dict[str, str]

    def refuse(self, reason: str) -> BadProviderURLError:
        return BadProviderURLError(f"{self.where} {reason}")

    def only(self, *known: str) -> dict[str, str]:
        """Return the query; reject unknown parameters without quoting them: one could be a password."""
        if self.query.keys() <= set(known):
            return self.query
        raise self.refuse(f"has a parameter that is not known. Known: {', '.join(known) or 'none'}.")


def _env(url: _URL, environ: Mapping[str, str] | None) -> SecretProvider:
    if url.authority or url.path:
        raise url.refuse("has more after env: than expected. Write env: or env:?names=A,B or env:?prefix=CHAT_.")
    query = url.only("names", "prefix")
    if len(query) > 1:
        raise url.refuse("has both names and prefix. Keep one of them.")
    if "prefix" in query:
        if not query["prefix"]:
            raise url.refuse("has an empty prefix, which would take every variable. Write env:?prefix=CHAT_.")
        return EnvProvider(environ, prefix=query["prefix"])
    if "names" not in query:
        return EnvProvider(environ)
    names = [name for name in query["names"].split(",") if name]
    if not names:
        raise url.refuse("has an empty names. Write env:?names=A,B.")
    return EnvProvider(environ, names=names)


def _file(url: _URL, _environ: Mapping[str, str] | None) -> SecretProvider:
    url.only()
    if url.authority not in ("", "localhost"):
        raise url.refuse("names a host. Write three slashes: file:///run/secrets/ethora.")
    if not url.path.startswith("/"):
        raise url.refuse("has no absolute path. Write it from the root: file:///run/secrets/ethora.")
    return FileProvider(url.path)


def _aws_sm(url: _URL, _environ: Mapping[str, str] | None) -> SecretProvider:
    from ethora_async_secrets.aws.provider import DEFAULT_KEY, AwsSecretsManagerProvider

    form = "Write aws-sm:///NAME-or-ARN?region=eu-west-1."
    if url.authority or not url.path.startswith("/"):
        raise url.refuse(f"has no three slashes before the secret's name. {form}")
    query = url.only("region", "profile", "role_arn", "endpoint", "key")
    try:
        return AwsSecretsManagerProvider(
            url.path[1:],
            region=query.get("region"),
            profile=query.get("profile"),
            role_arn=query.get("role_arn"),
            endpoint=query.get("endpoint"),
            key=query.get("key", DEFAULT_KEY),
        )
    except ValueError as problem:
        reason = str(problem)
    raise url.refuse(f"cannot be used: {reason} {form}")


def _vault(url: _URL, environ: Mapping[str, str] | None) -> SecretProvider:
    from ethora_async_secrets.vault.provider import URL_FORM, URL_PARAMETERS, provider_of_url

    query = url.only(*URL_PARAMETERS)
    try:
        return provider_of_url(url.authority, url.encoded_path, query, environ)
    except ValueError as problem:
        reason = str(problem)
    raise url.refuse(f"cannot be used: {reason} {URL_FORM}")


_SCHEMES: Final[dict[str, Callable[[_URL, Mapping[str, str] | None], SecretProvider]]] = {
    "aws-sm": _aws_sm,
    "env": _env,
    "file": _file,
    "vault": _vault,
}


def _known() -> str:
    return ", ".join(f"{scheme}:" for scheme in sorted(_SCHEMES))


def _build(written: str, environ: Mapping[str, str] | None, where: str) -> SecretProvider:
    match = _PARTS.fullmatch(written)
    if match is None:
        raise BadProviderURLError(
            f"{where} does not begin with a scheme (a space within a URL is written %20). {_FORMS}"
        )
    scheme = match["scheme"].lower()
    if scheme not in _SCHEMES:
        # not quoted: a secret pasted here by mistake may contain a colon
        raise BadProviderURLError(f"{where} has a scheme that is not known. Known schemes: {_known()}. {_FORMS}")
    where = f"{where} ({scheme}:)"
    authority = match["authority"] or ""
    if "@" in authority:
        raise BadProviderURLError(
            f"{where} holds credentials. Take them out: they belong in the environment or in files."
        )
    if match["fragment"]:
        raise BadProviderURLError(f"{where} has a #. Write %23 for one that belongs to a name.")
    path = _decoded(match["path"], where)
    return _SCHEMES[scheme](_URL(where, authority, path, match["path"], _query(match["query"] or "", where)), environ)


def _query(written: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, written.split("&")):
        name, equals, value = pair.partition("=")
        name = _decoded(name, where)
        if not equals or name in found:
            raise BadProviderURLError(
                f"{where} has a parameter without a value, or one given twice. Write ?name=value once."
            )
        found[name] = _decoded(value, where)
    return found


def _decoded(text: str, where: str) -> str:
    decoded: str | None = None
    if not _BAD_ESCAPE.search(text):
        try:
            decoded = unquote(text, errors="strict")
        except UnicodeDecodeError:
            decoded = None
    if decoded is None or "\0" in decoded:
        raise BadProviderURLError(f"{where} has a % that does not begin a valid UTF-8 escape. Write %25 for a plain %.")
    return decoded
