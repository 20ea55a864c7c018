"""Counts over time, for the charts of the admin UI.

The keys of the reply are not public: each count is a list of days, and `total*` are those of an app's record.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ethora_async.sandbox.ethora.forms_apps import PERIOD
from ethora_async.sandbox.ethora.replies import COUNT, TEXT, closed, many, result
from ethora_async.sandbox.ethora.routing import Auth, Routes
from ethora_async.sandbox.ethora.shapes import timestamp
from ethora_async.sandbox.ethora.shapes_apps import TOTALS, total
from ethora_async.sandbox.wire import Reply, json_reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ethora_async.sandbox.ethora.call import Call

ROUTES: Routes[Call] = Routes()
DAYS = many(closed({"date": TEXT, "count": COUNT}))


@ROUTES.add(
    "GET",
    "/v1/apps/graph-statistic/{appId}",
    auth=Auth.USER,
    section="apps",
    admin=True,
    query=PERIOD,
    replies=result(
        closed(
            {
                **dict.fromkeys(("users", "chats", "messages", "files"), DAYS),
                **dict.fromkeys(TOTALS, COUNT),
            }
        )
    ),
)
def read_statistics(call: Call) -> Reply:
    """Return the number of new users, chats, messages and files of an app for each day of a period."""
    app, platform = call.app, call.platform
    asked = call.asked()
    start, end = asked.get("startDate", 0.0), asked.get("endDate", call.now)

    def by_day(times: Iterable[float]) -> list[dict[str, str | int]]:
        days = Counter(timestamp(time)[:10] for time in times if start <= time <= end)
        return [{"date": day, "count": days[day]} for day in sorted(days)]

    statistics = {
        "users": by_day(user.created_at for user in app.users),
        "chats": by_day(chat.created_at for chat in app.chats),
        "messages": by_day(message.sent_at for chat in app.chats for message in chat.messages),
        "files": by_day(file.created_at for file in platform.shelf.of_app(app)),
        **{name: total(app, platform, name) for name in TOTALS},
    }
    return json_reply({"ok": True, "success": True, "result": statistics})
