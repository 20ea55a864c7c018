"""The certificate of a sandbox's TLS listener: generated, or read from files."""

from __future__ import annotations

import ssl
from pathlib import Path

import attrs

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


@attrs.frozen
class Certificate:
    """The source of the certificate: PEM files; without them it is generated for this machine's names.

    `port` is the TLS port; 0 takes a free one.
    """

    file: Path | None = None
    key: Path | None = None
    port: int = 0

    def __attrs_post_init__(self) -> None:
        if self.key is not None and self.file is None:
            msg = "A key needs its certificate: pass both, or neither to generate them."
            raise ValueError(msg)

    def load(self, host: str) -> tuple[ssl.SSLContext, str | None]:
        """Return the context to serve with, and the PEM of the authority that signed a certificate made here.

        Raises:
            ValueError: the files cannot be read or are not a certificate and its key, or none can be made for want of
                `trustme`.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.file is None:
            return context, _make(context, host)
        try:
            context.load_cert_chain(self.file, self.key)
        except ssl.SSLError as error:
            reason = (error.reason or "it is not a PEM file").replace("_", " ").lower()
            msg = f"The certificate {self.file} cannot be used with its key: {reason}."
            raise ValueError(msg) from None
        except OSError as error:
            msg = f"The certificate {self.file} or its key cannot be read: {error.strerror or type(error).__name__}."
            raise ValueError(msg) from None
        return context, None


def _make(context: ssl.SSLContext, host: str) -> str:
    try:
        import trustme
    except ImportError:
        msg = "Generating a certificate needs trustme: pip install 'ethora-async[tls]', or pass files of your own."
        raise ValueError(msg) from None
    names = LOCAL_NAMES if host in (*LOCAL_NAMES, "", "0.0.0.0", "::") else (host, *LOCAL_NAMES)  # noqa: S104
    authority = trustme.CA(organization_name="ethora-async sandbox")
    authority.issue_cert(*names).configure_cert(context)
    return authority.cert_pem.bytes().decode()
