"""What every handler of the local Ethora shares: state, clock, keys, rules and knobs. No sockets here."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ethora_async.sandbox.ethora.forms import Forms
from ethora_async.sandbox.ethora.jobs import Jobs
from ethora_async.sandbox.ethora.sessions import Sessions
from ethora_async.sandbox.ethora.store import Store
from ethora_async.sandbox.ethora.tokens import Signer
from ethora_async.sandbox.faults import Faults


@attrs.define(kw_only=True, repr=False)
class Platform:
    """The platform behind the routes. `clock` gives seconds since 1970."""

    clock: Callable[[], float]
    xmpp_host: str
    lenient: bool
    legacy_tokens: bool
    faults: Faults
    store: Store = attrs.field(factory=Store)
    signer: Signer = attrs.field(factory=Signer)
    jobs: Jobs = attrs.field(factory=Jobs)
    sessions: Sessions = attrs.field(init=False)
    forms: Forms = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sessions = Sessions(self.signer)
        self.forms = Forms.of(lenient=self.lenient)
