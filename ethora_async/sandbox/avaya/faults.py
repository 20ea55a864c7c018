"""The faults of the local Avaya: those of every sandbox, with Avaya's own error object as the default body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.avaya.problems import PROBLEM, RefusedError, problem
from ethora_async.sandbox.faults import Faults

if TYPE_CHECKING:
    from ethora_async.sandbox.faults import Cut, InjectedFault


class AvayaFaults(Faults):
    """As `Faults`. `bare_tokens`: tokens of three parts, without the leading word ``jwt``.

    See docs/platforms/avaya.md#shape-of-the-chat-token.

    `unstated_lifetime`: access tokens come without ``expires_in``. `oauth_errors`: the token endpoint answers a wrong
    login with OAuth's error object in place of a problem. `token_shift`: seconds by which a token's ``exp`` is moved.
    """

    bare_tokens: bool = False
    unstated_lifetime: bool = False
    oauth_errors: bool = False
    token_shift: float = 0.0

    def fail(
        self,
        route: str = "*",
        *,
        times: int | None = 1,
        status: int = 503,
        cut: Cut | None = None,
        after_work: bool = False,
        retry_after: float | str | None = None,
        body: object = None,
        content_type: str | None = None,
    ) -> InjectedFault:
        """Let the next `times` calls (None: all) fail; see `Faults.fail`. The default body is a problem object."""
        if body is None and cut is None:
            body, content_type = problem(RefusedError(status, "A fault was set."), ""), content_type or PROBLEM
        return super().fail(
            route,
            times=times,
            status=status,
            cut=cut,
            after_work=after_work,
            retry_after=retry_after,
            body=body,
            content_type=content_type,
        )
