"""The "API at a glance" of docs/reference/ethora-api.md: our calls, the Node SDK's, and the HTTP calls behind them.

``python tests/conformance/at_a_glance.py`` writes the section anew; a test compares it.
"""

from __future__ import annotations

import re
from pathlib import Path

import attrs
from node_sdk import METHODS

from ethora_async.platforms.ethora import operations
from ethora_async.request import Operation

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "ethora-api.md"
SECTION = re.compile(r"(?<=^## API at a glance\n).*?\Z", re.MULTILINE | re.DOTALL)

FURTHER: dict[str, str] = {
    "POST /v1/users/batch": "users.create_many(users, synchronous=True)",
    "GET /v2/users/batch/{job}": "users.create(id, …), users.create_many(users)",
    "GET /v1/users/{app}": "in_app(app_id).users.list()",
    "PATCH /v2/apps/{app}/chats/users": "in_app(app_id).users.update_many(changes)",
    "POST /v2/apps/{app}/users/unread-counts": "users.unread_counts(ids)",
    "POST /v1/users/create-many-with-app-id/{app}": "users.import_many(users)",
    "POST /v1/users/tags-set/{app}": "users.set_tags(ids, tags)",
    "POST /v1/users/tags-add/{app}": "users.add_tags(ids, tags)",
    "POST /v1/users/tags-delete/{app}": "users.remove_tags(ids, tags)",
    "PUT /v1/users/{app}/{user}": "users.update_profile(id, …)",
    "GET /v1/users/export/{app}": "users.export()",
    "PATCH /v1/chats/meta": "chats.update_meta(id, …)",
    "GET /v2/apps/{app}/chats/{chat}/messages": "chats.messages(id)",
    "GET /v2/apps/{app}/chats/{chat}/messages/context": "chats.messages_context(id, …)",
    "GET /v2/apps/{app}/messages/search": "chats.search(text)",
    "DELETE /v2/apps/{app}/chats/{chat}/messages": "chats.clear_messages(id)",
    "GET /v1/apps/get-default-rooms/app-id/{app}": "chats.default_rooms.list()",
    "POST /v1/apps/create-app-chat/{app}": "chats.default_rooms.create(title)",
    "DELETE /v1/apps/delete-app-chat/{app}": "chats.default_rooms.delete(id)",
    "POST /chat-access/": "chats.set_access(chat, user, access) with legacy_api=True",
    "POST /chats/": "chats.create(id, title=…) with legacy_api=True",
    "DELETE /chats/": "chats.delete(id) with legacy_api=True",
    "GET /v1/apps/get-config": "apps.find(domain_name)",
    "POST /v1/apps/check-domain-name": "apps.domain_name_is_free(name)",
    "PATCH /v2/apps/{app}": "apps.update(app_id, …)",
    "DELETE /v1/apps/{app}": "apps.delete(app_id, hard=True)",
    "GET /v2/apps/purge-jobs/{job}": "apps.purge_job(id)",
    "POST /v1/apps/{app}/restore": "apps.restore(app_id)",
    "GET /v2/apps/{app}/export": "apps.export(app_id)",
    "POST /v2/apps/import": "apps.import_bundle(bundle)",
    "GET /ping": "ping()",
    "POST /v1/users/client": "sessions.exchange(token)",
    "POST /v2/users/login-with-email": "sessions.login(email, password)",
    "POST /v2/users/login/mfa": "sessions.complete_mfa(mfa_token, code)",
    "POST /v2/users/sign-up-with-email": "sessions.sign_up(email, …, password=…)",
    "POST /v1/users/sign-up-with-email": "sessions.sign_up(email, …)",
    "POST /v2/users/login/refresh": "sessions.refresh(session)",
    "POST /v1/users/logout": "sessions.logout(session)",
    "GET /v2/users/me": "as_user(session).me()",
    "PUT /v1/users": "as_user(session).update_profile(…)",
    "POST /v1/users/xmpp-token": "as_user(session).xmpp_credentials()",
    "GET /v2/users/me/api-keys": "as_user(session).api_keys.list()",
    "POST /v2/users/me/api-keys": "as_user(session).api_keys.create(name)",
    "DELETE /v2/users/me/api-keys/{key}": "as_user(session).api_keys.delete(id)",
    "GET /v1/chats/my": "as_user(session).chats.list()",
    "GET /v1/chats/my/{chat}": "as_user(session).chats.get(id)",
    "GET /v1/chats": "as_user(session).chats.created()",
    "GET /v1/chats/public": "as_user(session).chats.public()",
    "POST /v1/chats/private": "as_user(session).chats.private(user)",
    "PUT /v1/chats/my/{chat}/mute": "as_user(session).chats.mute(id)",
    "DELETE /v1/chats/my/{chat}/mute": "as_user(session).chats.unmute(id)",
    "POST /v1/chats/reports/{chat}": "as_user(session).chats.report(id, category, text)",
    "POST /v1/chats/media/{chat}": "as_user(session).chats.send_media(id, files)",
    "GET /v2/files": "as_user(session).files.list()",
    "POST /v2/files": "as_user(session).files.upload(files)",
    "POST /v2/files/secure": "as_user(session).files.upload(files, chat=…)",
    "DELETE /v2/files/{file}": "as_user(session).files.delete(id)",
}
"""The HTTP calls for which the Node SDK has no method, and which of our calls makes each."""


def http_calls() -> set[str]:
    """Every HTTP call in the client's table of operations."""
    found: set[str] = set()
    for value in vars(operations).values():
        table = attrs.asdict(value, recurse=False).values() if isinstance(value, operations.AppOperations) else [value]
        found |= {f"{one.method} {one.path}" for one in table if isinstance(one, Operation)}
    return found


def section() -> str:
    """The section's text, between its heading and the next."""
    known = [(row.ours, f"`{name}`", row.http) for name, row in METHODS.items()]
    further = [(ours, "–", http) for http, ours in FURTHER.items()]
    return f"""
Every method of the vendor's Node SDK has an equivalent. `tests/conformance/node_sdk.py` lists where our requests differ
from its, with the reason, and a test holds that list to the code.

{_table(known)}

### Beyond the Node SDK

{_table(further)}
"""


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = ["| `ethora.` | Node SDK | HTTP |", "|---|---|---|"]
    for ours, node, http in rows:
        lines.append(f"| {_calls(ours)} | {node} | {f'`{http}`' if http else 'none: made here'} |")
    return "\n".join(lines)


def _calls(ours: str) -> str:
    call, _, condition = ours.partition(" with ")
    shown = ", ".join(f"`{one}`" for one in re.split(r"(?<=\)), ", call))
    return f"{shown} with `{condition}`" if condition else shown


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    PAGE.write_text(SECTION.sub(lambda _: section(), text), "utf-8")
