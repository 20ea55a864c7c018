"""Chat in a FastAPI application. Against a sandbox:

    ethora sandbox                                                       # prints export lines: paste them
    python examples/provision.py
    DEMO_PASSWORD=… uvicorn --app-dir examples fastapi_app:app

The lines about chat are the ones under "chat"; the rest is what your application has already.
"""

from __future__ import annotations

import hmac
import os
import secrets
from typing import Annotated

from fastapi import Cookie, Depends, FastAPI, HTTPException, Response
from pydantic import BaseModel

from ethora_async import EthoraClient
from ethora_async.web import AppClient, Health, Routes
from ethora_async.web.asgi import ASGIApp
from ethora_async.web.fastapi import token_router

# -- your application --------------------------------------------------------------------------------------------------

SESSIONS: dict[str, str] = {}  # yours are in a store
BUYERS = {"1042": {"ann", "bob"}}


class Login(BaseModel):
    user: str
    password: str


async def current_user(session: Annotated[str | None, Cookie()] = None) -> str | None:
    return SESSIONS.get(session or "")


# -- chat --------------------------------------------------------------------------------------------------------------

chat = AppClient(EthoraClient.from_env)


async def may_enter(user: object, room: str) -> bool:
    return user in BUYERS.get(room, ())


app = FastAPI(lifespan=chat.lifespan)
app.include_router(token_router(chat, current_user, may_enter=may_enter), prefix="/chat")
app.mount("/health", ASGIApp(Routes(health=Health(chat))))


@app.get("/orders/{order}/members")
async def members(order: str, ethora: Annotated[EthoraClient, Depends(chat.get)]) -> list[str]:
    """One of your own routes, which uses the client."""
    return [user.id async for user in ethora.chats.members(order)]


# -- your application --------------------------------------------------------------------------------------------------


@app.post("/login")
async def log_in(form: Login, response: Response) -> dict[str, str]:
    if not hmac.compare_digest(form.password.encode(), os.environ["DEMO_PASSWORD"].encode()):
        raise HTTPException(401)
    key = secrets.token_urlsafe()
    SESSIONS[key] = form.user
    response.set_cookie("session", key, httponly=True, samesite="lax")
    return {"user": form.user}
