"""Chat in a Django project, all of it in one file. Against a sandbox:

    ethora sandbox                                                       # prints export lines: paste them
    python examples/provision.py
    DEMO_PASSWORD=… python examples/django_app.py runserver              # or: uvicorn --app-dir examples django_app:app

The lines about chat are the ones under "chat"; the rest is what your project has already.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import sys

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST

from ethora_async import EthoraClient
from ethora_async.web import Health, OwnLoop, Routes, TokenEndpoint
from ethora_async.web.django import chat_urls

# -- your project ------------------------------------------------------------------------------------------------------

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY") or secrets.token_urlsafe(),
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    INSTALLED_APPS=["django.contrib.staticfiles"],
    STATIC_URL="static/",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
)
django.setup()

BUYERS = {"1042": {"ann", "bob"}}


@ensure_csrf_cookie
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Orders")


@require_POST
def log_in(request: HttpRequest) -> JsonResponse:
    form = json.loads(request.body)
    if not hmac.compare_digest(str(form["password"]).encode(), os.environ["DEMO_PASSWORD"].encode()):
        return JsonResponse({}, status=401)
    request.session.cycle_key()
    request.session["user"] = str(form["user"])
    return JsonResponse({"user": form["user"]})


# -- chat --------------------------------------------------------------------------------------------------------------

# In its own event loop: runserver and WSGI servers create a new loop for every request of an async view.
chat = OwnLoop(EthoraClient.from_env)


async def identify(request: HttpRequest) -> str | None:
    user: str | None = request.session.get(
        "user"
    )  # in a signed cookie; with sessions in a database: await …aget("user")
    return user


async def may_enter(user: object, room: str) -> bool:
    return user in BUYERS.get(room, ())


async def members(request: HttpRequest, order: str) -> JsonResponse:
    """One of your own views, which uses the client."""

    async def ids(ethora: EthoraClient) -> list[str]:
        return [user.id async for user in ethora.chats.members(order)]

    return JsonResponse(await chat.run(ids), safe=False)


routes = Routes(token=TokenEndpoint(chat, identify, may_enter=may_enter), health=Health(chat))
urlpatterns = [
    path("", home),
    path("login", log_in),
    path("orders/<order>/members", members),
    path("chat/", include(chat_urls(routes))),
]

# -- your project ------------------------------------------------------------------------------------------------------

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
else:
    from django.core.asgi import get_asgi_application

    app = get_asgi_application()
