"""An outbox in a Django project, all of it in one file. Against a sandbox:

    ethora sandbox                                                       # prints export lines: paste them
    python examples/outbox_django.py migrate
    uvicorn --app-dir examples --lifespan off outbox_django:app
    ethora outbox work --database sqlite:///shop.db

The lines about chat are the ones under "chat"; the rest is what your project has already.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connection, models, transaction
from django.http import HttpRequest, JsonResponse
from django.urls import path

from ethora_async import NewChat, NewUser, outbox

# -- your project ------------------------------------------------------------------------------------------------------


def database() -> dict[str, Any]:
    url = urlsplit(os.environ.get("DATABASE_URL", "sqlite:///shop.db"))
    if url.scheme == "sqlite":
        options = {"timeout": 10, "transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.path[1:], "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": url.username,
        "PASSWORD": unquote(url.password or ""),
    }


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": database()},
    INSTALLED_APPS=["ethora_async.outbox.django"],  # the outbox's tables, for `migrate`
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()


class Person(models.Model):
    id = models.CharField(primary_key=True, max_length=100)
    email = models.CharField(max_length=200, unique=True, null=True)
    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)

    class Meta:
        app_label = "shop"


class Room(models.Model):
    id = models.CharField(primary_key=True, max_length=100)
    title = models.CharField(max_length=100)

    class Meta:
        app_label = "shop"


class Seat(models.Model):
    room = models.CharField(max_length=100)
    person = models.CharField(max_length=100)

    class Meta:
        app_label = "shop"
        constraints = (models.UniqueConstraint(fields=["room", "person"], name="shop_seat_once"),)


def create_tables() -> None:
    """Create the tables; your project has migrations for this."""
    there = set(connection.introspection.table_names())
    with connection.schema_editor() as editor:
        for model in (Person, Room, Seat):
            if f"shop_{model.__name__.lower()}" not in there:
                editor.create_model(model)


# -- chat --------------------------------------------------------------------------------------------------------------

from ethora_async.outbox.django.signals import follow_chats  # noqa: E402  models must be there first

CHANGES_EMAIL = os.environ.get("PLATFORM") == "rocketchat"
"""Ethora cannot change the e-mail address of an existing user: the user is deleted, and created with the new one."""

# Saving or deleting a room is enough.
follow_chats(Room, lambda room: NewChat(id=room.id, title=room.title))


def described(person: Person) -> NewUser:
    return NewUser(id=person.id, email=person.email or "", first_name=person.first_name, last_name=person.last_name)


def keep_in_step(people: list[Person], *, addresses_change: bool) -> None:
    """Write the intents for these people, in the transaction that changes them."""
    if addresses_change and not CHANGES_EMAIL:
        ids = [person.id for person in people]
        outbox.want_no_users(connection, ids)
        outbox.want_users(connection, map(described, people))
        # A recreated user is new to the platform: the memberships need new intents.
        seats = Seat.objects.filter(person__in=ids)
        outbox.want_members(connection, [(seat.room, seat.person) for seat in seats])
    else:
        outbox.want_users(connection, map(described, people))


# -- your project, and in each transaction one line about chat ---------------------------------------------------------


def person_of(id: str) -> Person | None:
    """Return the row, locked: requests about the same person run one after the other."""
    return Person.objects.select_for_update().filter(pk=id).first()


def missing() -> JsonResponse:
    return JsonResponse({}, status=404)


@transaction.atomic
def person(request: HttpRequest, id: str) -> JsonResponse:
    found = person_of(id)
    if request.method == "DELETE":
        if found is None:
            return missing()
        Seat.objects.filter(person=id).delete()
        found.delete()
        outbox.want_no_user(connection, id)
        return JsonResponse({"id": id})
    form = json.loads(request.body)
    new_address = found is not None and found.email != form["email"]
    made = Person(id, form["email"], form["first_name"], form["last_name"])
    made.save(force_insert=found is None)
    keep_in_step([made], addresses_change=new_address)
    return JsonResponse({"id": id})


@transaction.atomic
def swap(request: HttpRequest, id: str, other_id: str) -> JsonResponse:
    people = [found for one in sorted({id, other_id}) if (found := person_of(one)) is not None]
    if len(people) != 2:
        return missing()
    first, second = people
    taken, given = first.email, second.email
    first.email = None
    first.save()
    second.email = taken
    second.save()
    first.email = given
    first.save()
    keep_in_step(people, addresses_change=True)
    return JsonResponse({"id": id})


@transaction.atomic
def room(request: HttpRequest, id: str) -> JsonResponse:
    Room(id, request.GET["title"]).save()
    return JsonResponse({"id": id})


@transaction.atomic
def seat(request: HttpRequest, room: str, id: str) -> JsonResponse:
    if person_of(id) is None or not Room.objects.filter(pk=room).exists():
        return missing()
    if request.method == "DELETE":
        Seat.objects.filter(room=room, person=id).delete()
        outbox.want_no_member(connection, room, id)
    else:
        Seat.objects.get_or_create(room=room, person=id)
        outbox.want_member(connection, room, id)
    return JsonResponse({"id": id})


urlpatterns = [
    path("people/<id>", person),
    path("people/<id>/swap/<other_id>", swap),
    path("rooms/<id>", room),
    path("rooms/<room>/people/<id>", seat),
]

app = get_asgi_application()

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    if "migrate" in sys.argv:
        create_tables()
    execute_from_command_line(sys.argv)
