"""The page of the local Avaya: the minted chat tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ethora_async.sandbox.ui.view import Cell, Detail, Knob, ViewRow, ViewTable, make_table, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sandbox.avaya.state import Account, Minted

TOKENS = ("Customer", "Name", "Kind", "Integration", "Ends", "State")


class AvayaView:
    """Reads the state of an account."""

    platform = "Avaya"
    knobs: tuple[Knob, ...] = (
        Knob("bare_tokens", "Chat tokens of three parts"),
        Knob("unstated_lifetime", "Access tokens without expires_in"),
        Knob("oauth_errors", "OAuth errors for a wrong login"),
    )

    def __init__(self, account: Account) -> None:
        self._account = account

    def facts(self) -> Mapping[str, Cell]:
        """Return facts about the account."""
        now = self._account.clock()
        return {
            "Account": self._account.account_id,
            "Client": self._account.client_id,
            "Access tokens": sum(end > now for end in self._account.access.values()),
        }

    def counts(self) -> Mapping[str, tuple[str, int]]:
        """Return the tables."""
        return {
            "tokens": ("Chat tokens", len(self._account.minted)),
            "integrations": ("Integrations", len(self._account.integration_ids)),
        }

    def table(self, key: str, search: str, limit: int) -> ViewTable:
        """Return rows of a table, tokens newest first."""
        title, total = self.counts()[key]
        if key == "tokens":
            minted = reversed(self._account.minted.values())
            return make_table(title, TOKENS, minted, self._row, total, search, limit)
        ids = sorted(self._account.integration_ids)
        return make_table(title, ("Id",), ids, lambda one: ViewRow((one,)), total, search, limit)

    def detail(self, key: str, record_id: str) -> Detail | None:  # noqa: ARG002 - no row has details
        """Return None: a token is shown whole in its row."""
        return None

    def _row(self, minted: Minted) -> ViewRow:
        kind = "verified" if minted.verified else "guest"
        state = "live" if self._account.clock() < minted.expires_at else "ended"
        ends = moment(minted.expires_at)
        return ViewRow((minted.customer_id, minted.name or "–", kind, minted.integration_id, ends, state))
