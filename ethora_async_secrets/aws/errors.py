"""Translate errors of the AWS SDK.

Errors are matched by code: AWS and its emulators send the same code with different HTTP statuses. Messages hold the
code and the remedy, and quote nothing that the server wrote.
"""

from __future__ import annotations

import re
from typing import Final, cast

import attrs

from ethora_async_secrets.errors import SecretDeniedError, SecretError, SecretUnavailableError

_Meaning = tuple[type[SecretError], str]

NOT_FOUND: Final = "ResourceNotFoundException"
_CODE: Final = re.compile(r"[A-Za-z0-9.]{1,64}")

# For these credentials, newer ones may exist at the same place: a rewritten file, a renewed token.
_RENEWABLE: Final = frozenset({
    "ExpiredToken", "ExpiredTokenException", "RequestExpired",
    "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException",
})  # fmt: skip

_MEANINGS: Final[tuple[tuple[type[SecretError], str, tuple[str, ...]], ...]] = (
    (
        SecretUnavailableError,
        "there is no such secret, or it has no current value: create it, or check name, region and account",
        (NOT_FOUND, "404"),
    ),
    (
        SecretUnavailableError,
        "it cannot be read in its present state, most likely as it is scheduled for deletion: restore it",
        ("InvalidRequestException",),
    ),
    (
        SecretUnavailableError,
        "the credentials have expired, and so have the reloaded ones: renew them",
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired"),
    ),
    (
        SecretUnavailableError,
        "too many requests: it will answer again soon",
        (
            "LimitExceededException", "RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException",
            "ThrottledException", "TooManyRequestsException", "KMSThrottlingException", "429",
        ),
    ),
    (
        SecretDeniedError,
        "these credentials may not read it: allow them secretsmanager:GetSecretValue, and kms:Decrypt on its key",
        ("AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation", "401", "403"),
    ),
    (
        SecretDeniedError,
        "the credentials are wrong: check the access key, the secret key, the session token and this machine's clock",
        (
            "AuthFailure", "IncompleteSignature", "IncompleteSignatureException", "InvalidAccessKeyId",
            "InvalidClientTokenId", "InvalidSignatureException", "MissingAuthenticationToken",
            "MissingAuthenticationTokenException", "OptInRequired", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
    ),
    (
        SecretDeniedError,
        "the identity provider's token is not accepted: check the token file and whom the role trusts",
        ("IDPRejectedClaim", "InvalidIdentityToken"),
    ),
    (
        SecretDeniedError,
        "its KMS key does not decrypt it: check that the key is enabled and allows kms:Decrypt",
        ("DecryptionFailure", "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException",
         "KMSNotFoundException"),
    ),
    (
        SecretDeniedError,
        "the request was refused as invalid: check the name, the region and the role",
        ("InvalidParameterException", "InvalidParameterValue", "ValidationError", "ValidationException"),
    ),
)  # fmt: skip
_OF_CODE: Final[dict[str, _Meaning]] = {code: (kind, text) for kind, text, codes in _MEANINGS for code in codes}

_ROLE_REFUSED: Final = "the role may not be assumed: check what these credentials may do and whom the role trusts"
_UNREACHABLE: Final = "it cannot be reached: check the network, the region and the endpoint"
_LOCAL: Final[dict[str, _Meaning]] = {
    "NoCredentialsError": (
        SecretUnavailableError,
        "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role",
    ),
    "PartialCredentialsError": (SecretUnavailableError, "the AWS credentials are incomplete: give both keys"),
    "CredentialRetrievalError": (SecretUnavailableError, "the AWS credentials could not be fetched"),
    "SSOError": (SecretUnavailableError, "the single sign-on session is over: run aws sso login"),
    "ProfileNotFound": (SecretUnavailableError, "there is no such AWS profile: check its name and AWS_CONFIG_FILE"),
    "NoRegionError": (SecretUnavailableError, "no AWS region was given: pass region, or set AWS_DEFAULT_REGION"),
    "EndpointConnectionError": (SecretUnavailableError, _UNREACHABLE),
    "ConnectionClosedError": (SecretUnavailableError, _UNREACHABLE),
    "ConnectTimeoutError": (SecretUnavailableError, _UNREACHABLE),
    "HTTPClientError": (SecretUnavailableError, _UNREACHABLE),
    "ProxyConnectionError": (SecretUnavailableError, "its proxy cannot be reached: check HTTPS_PROXY"),
    "ReadTimeoutError": (SecretUnavailableError, "it did not answer in time"),
    "SSLError": (SecretUnavailableError, "TLS with it failed: check AWS_CA_BUNDLE and the endpoint"),
    # most often the error page of a proxy
    "ResponseParserError": (SecretUnavailableError, "the answer is not AWS's: check the endpoint, or try again"),
    "ParamValidationError": (SecretDeniedError, "the request is invalid: check the name and the role"),
    # the web identity token is a file that Kubernetes mounts
    "FileNotFoundError": (SecretUnavailableError, "an AWS settings file is missing: check AWS_WEB_IDENTITY_TOKEN_FILE"),
    "PermissionError": (SecretDeniedError, "a file of AWS's settings may not be read: check its owner and mode"),
    "ModuleNotFoundError": (SecretUnavailableError, "boto3 is not installed: pip install 'ethora-async[aws]'"),
}  # fmt: skip


@attrs.frozen
class ReadFailure:
    """Why a read failed: the class to raise, the `code` or class name, and the remedy.

    `renewable` says that other credentials from the same place may succeed.
    """

    error: type[SecretError]
    code: str
    advice: str
    renewable: bool = False

    @property
    def absent(self) -> bool:
        """Whether the store reported that there is no such secret or stage."""
        return self.code == NOT_FOUND

    def __str__(self) -> str:
        return f"{self.advice} ({self.code})" if self.code else self.advice


def explain(error: Exception) -> ReadFailure:
    """Translate `error` without keeping it or its text."""
    response: object = getattr(error, "response", None)
    if isinstance(response, dict):
        return _of_answer(cast("dict[str, object]", response), str(getattr(error, "operation_name", "")))
    for kind in type(error).__mro__:
        if kind.__name__ in _LOCAL:
            meaning, advice = _LOCAL[kind.__name__]
            return ReadFailure(meaning, type(error).__name__, advice)
    return ReadFailure(SecretUnavailableError, type(error).__name__, "it could not be asked")


def _of_answer(response: dict[str, object], operation: str) -> ReadFailure:
    written = cast("dict[str, object]", response.get("Error") or {}).get("Code")
    code = str(written)
    if not _CODE.fullmatch(code):
        return ReadFailure(SecretUnavailableError, "", "it answered an error without a code: check the endpoint")
    kind, advice = _OF_CODE.get(code) or (
        SecretUnavailableError,
        "it answered an error: try again, or look the code up",
    )
    if operation.startswith("AssumeRole"):
        if code.startswith("AccessDenied") or code == "403":
            advice = _ROLE_REFUSED
        return ReadFailure(kind, f"{operation}: {code}", advice, renewable=code in _RENEWABLE)
    return ReadFailure(kind, code, advice, renewable=code in _RENEWABLE)
