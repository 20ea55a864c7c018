"""The page of the local ImbaChat: the logged-in users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ethora_async.sandbox.ui.view import Cell, Detail, Knob, ViewRow, ViewTable, make_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ethora_async.sandbox.imbachat.online import ChatUser

USERS = ("Id", "Name as your site told it", "Fields of its answer")


class Widget(Protocol):
    """The attributes of a sandbox that the page reads."""

    widget_id: int
    guests: int
    users_info_url: str | None

    @property
    def online(self) -> Mapping[int, ChatUser]:
        """The logged-in users, by id."""
        ...


class ImbaChatView:
    """Reads the state of a widget."""

    platform = "ImbaChat"
    knobs: tuple[Knob, ...] = ()

    def __init__(self, widget: Widget) -> None:
        self._widget = widget

    def facts(self) -> Mapping[str, Cell]:
        """Return facts about the widget."""
        return {
            "Widget": self._widget.widget_id,
            "Guests": self._widget.guests,
            "Users info URL": self._widget.users_info_url or "not set",
        }

    def counts(self) -> Mapping[str, tuple[str, int]]:
        """Return the tables."""
        return {"users": ("Logged in", len(self._widget.online))}

    def table(self, key: str, search: str, limit: int) -> ViewTable:
        """Return rows of a table."""
        title, total = self.counts()[key]
        online = reversed([*self._widget.online.values()])
        return make_table(
            title,
            USERS,
            online,
            lambda user: ViewRow(
                (user.user_id, user.name or "–", ", ".join(user.info) or "–"), f"users/{user.user_id}"
            ),
            total,
            search,
            limit,
        )

    def detail(self, key: str, record_id: str) -> Detail | None:
        """Return one user with what the site answered."""
        user = self._widget.online.get(int(record_id)) if key == "users" and record_id.isdecimal() else None
        if user is None:
            return None
        return Detail(user.name or str(user.user_id), {name: str(value) for name, value in user.info.items()})
