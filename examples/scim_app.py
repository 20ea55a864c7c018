"""An identity provider manages the chat of a FastAPI application, by SCIM. Against a sandbox:

    ethora sandbox                                                       # prints export lines: paste them
    export ETHORA_SCIM_TOKEN=$(openssl rand -base64 32)
    DEMO_PASSWORD=… uvicorn --app-dir examples scim_app:app
    python examples/scim/replay.py examples/scim/entra.json http://127.0.0.1:8000/scim/v2

The last line simulates Microsoft Entra ID; okta.json simulates Okta. Both recordings are fictitious.

The lines about chat are the ones under "chat"; the rest is what your application has already.
"""

from __future__ import annotations

import hmac
import os
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from fastapi import Cookie, FastAPI, HTTPException, Response
from pydantic import BaseModel

from ethora_async import EthoraClient, outbox
from ethora_async.web import AppClient, Health, Routes
from ethora_async.web.asgi import ASGIApp
from ethora_async.web.fastapi import token_router
from ethora_async.web.scim import ScimDirectory, ScimEndpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# -- your application --------------------------------------------------------------------------------------------------

SESSIONS: dict[str, str] = {}  # yours are in a store


class Login(BaseModel):
    email: str
    password: str


# -- chat --------------------------------------------------------------------------------------------------------------

DATABASE = os.environ.get("DATABASE_URL", "sqlite:///scim.db")  # or postgresql://app@db/app

chat = AppClient(EthoraClient.from_env)
directory = ScimDirectory(DATABASE)
scim = ScimEndpoint(directory)


async def current_user(session: Annotated[str | None, Cookie()] = None) -> str | None:
    """Return the chat user who is logged in, by the id from the identity provider."""
    person = await directory.find(user_name=SESSIONS.get(session or "", "-"))
    return None if person is None else person.user_id


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(directory)
        await stack.enter_async_context(chat)
        await stack.enter_async_context(outbox.Worker(chat, DATABASE))
        yield


app = FastAPI(lifespan=lifespan)
app.include_router(token_router(chat, current_user, is_active=directory.is_active), prefix="/chat")
app.mount("/scim/v2", ASGIApp(Routes(scim=scim, scim_path="")))
app.mount("/health", ASGIApp(Routes(health=Health(chat, checks={"scim": scim.check}))))


# -- your application --------------------------------------------------------------------------------------------------


@app.post("/login")
async def log_in(form: Login, response: Response) -> dict[str, str]:
    if not hmac.compare_digest(form.password.encode(), os.environ["DEMO_PASSWORD"].encode()):
        raise HTTPException(401)
    key = secrets.token_urlsafe()
    SESSIONS[key] = form.email
    response.set_cookie("session", key, httponly=True, samesite="lax")
    return {"email": form.email}
