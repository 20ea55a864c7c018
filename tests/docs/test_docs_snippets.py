"""Every snippet of the documentation runs: page by page, in order, against a local Ethora."""

from __future__ import annotations

import ast
import asyncio
import importlib
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp.test_utils import TestClient, TestServer
from configured_django import configure_django
from snippets import RUN, SHOWN, blocks, run_commands, run_python

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if any(language in RUN for language, _ in blocks(page))]
OUTBOX = DOCS / "how-to" / "outbox.md"
"""Its snippets are parts of applications with databases; `tests/outbox` runs the same calls on real ones."""
FIXTURES, FRAMEWORKS = DOCS / "how-to" / "test-with-fixtures.md", DOCS / "how-to" / "token-endpoint.md"
SERVER = "ethora sandbox"
"""The command that the page wants to be left running; here `platform` is."""
HEADERS = {"x-demo-user": "alice", "content-type": "application/json"}

pytest_plugins = ["pytester"]


def test_every_block_is_run_or_known_to_be_shown_only() -> None:
    unknown = {(page.name, language) for page in DOCS.rglob("*.md") for language, _ in blocks(page)}
    assert {language for _, language in unknown} <= RUN | SHOWN, unknown
    assert len(PAGES) >= 5


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in (FIXTURES, FRAMEWORKS, OUTBOX)], ids=lambda page: page.stem
)
async def test_the_page_can_be_followed(page: Path, folder: Path) -> None:
    scope: dict[str, Any] = {"__name__": "shown"}
    for language, text in blocks(page):
        if language == "python":
            await run_python(text, scope, str(page))
        elif language == "sh" and text.strip() != SERVER:
            await asyncio.to_thread(run_commands, text, folder)


async def test_every_framework_serves_tokens_as_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope: dict[str, Any] = {"__name__": "shown"}
    served = []
    for language, text in blocks(FRAMEWORKS):
        if language != "python":
            continue
        await run_python(text, scope, str(FRAMEWORKS))
        served.append(await _asked(scope, monkeypatch))
    assert served == [200] * 5


async def _asked(scope: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> int:
    """Ask the application that the last block made for a token; return the status."""
    if "urlpatterns" in scope:
        return await _asked_django(scope)
    app, chat = scope.pop("app"), scope["chat"]
    if type(app).__module__.startswith("aiohttp"):
        async with TestClient(TestServer(app)) as browser:
            return (await browser.post("/chat/token", headers=HEADERS, data=b"{}")).status
    async with chat, httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as browser:
        refused = await browser.post("/chat/token", headers={"content-type": "application/json"}, content=b"{}")
        assert refused.status_code == 401
        return (await browser.post("/chat/token", headers=HEADERS, content=b"{}")).status_code


async def _asked_django(scope: dict[str, Any]) -> int:
    configure_django()
    from django.test import AsyncRequestFactory, override_settings
    from django.urls import resolve

    urls = type("Urls", (), {"urlpatterns": scope["urlpatterns"]})
    with override_settings(ROOT_URLCONF=urls):
        request = AsyncRequestFactory().post("/chat/token", b"{}", content_type="application/json")
        request.META["HTTP_X_DEMO_USER"] = "alice"
        view = resolve("/chat/token")
        answer = await view.func(request, **view.kwargs)
    await scope["chat"].aclose()
    return answer.status_code


def test_the_names_in_snippets_of_the_outbox_exist() -> None:
    names = set()
    for language, text in blocks(OUTBOX):
        if language != "python":
            continue
        tree = compile(text, str(OUTBOX), "exec", flags=ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "outbox":
                names.add(node.attr)
    assert names >= {"want_user", "Worker"}
    assert names <= set(importlib.import_module("ethora_async.outbox").__all__)


def test_the_tests_with_fixtures_pass_as_shown(pytester: pytest.Pytester) -> None:
    *tests, plain = [text for language, text in blocks(FIXTURES) if language == "python"]
    wrapped = "async def test_without_a_fixture():\n" + re.sub("^(?=.)", "    ", plain, flags=re.MULTILINE)
    pytester.makepyfile(test_shown="\n".join([*tests, wrapped]))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-W", "ignore")
    result.assert_outcomes(passed=5)


def _messages() -> str:
    """Return all string literals in the code, with `…` for interpolated values."""
    texts = []
    for package in ("ethora_async", "ethora_async_secrets"):
        for path in (DOCS.parent / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    texts.append(
                        "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return "\n".join(texts)


def test_every_error_message_that_troubleshooting_quotes_is_one_of_ours() -> None:
    ours = _messages()
    page = (DOCS / "how-to" / "troubleshooting.md").read_text("utf-8")
    quoted = [one for one in re.findall(r"^### `([^`]+)`$", page, re.MULTILINE) if " " in one]
    assert len(quoted) >= 10
    assert [one for one in quoted if one.strip("… ") not in ours] == []
