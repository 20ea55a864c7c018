"""The Django adapter: the same contract, inside ``transaction.atomic()``; migrations; signals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

# Django's settings are one to a process, and its tests are run in processes of their own.
PROGRAM = """
import json, os, sys
from urllib.parse import unquote, urlsplit
import django
from django.conf import settings

url = urlsplit(sys.argv[1])
database = (
    {"ENGINE": "django.db.backends.sqlite3", "NAME": url.path[1:], "OPTIONS": {"timeout": 10}}
    if url.scheme == "sqlite"
    else {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "HOST": url.hostname, "PORT": url.port,
          "USER": url.username, "PASSWORD": unquote(url.password)}
)
settings.configure(DATABASES={"default": database, "other": {**database}},
                   INSTALLED_APPS=["ethora_async.outbox.django"])
django.setup()
from django.core.management import call_command
from django.db import connection, connections, models, transaction
from ethora_async import ConfigError, InvalidInputError, NewChat, NewUser, outbox
from ethora_async.outbox.django.signals import follow_chats, follow_members, follow_users

ANN = NewUser(id="ann", email="ann@example.com", first_name="Ann", last_name="%s O'Lee")

class Person(models.Model):
    name = models.CharField(max_length=9)
    active = models.BooleanField(default=True)
    class Meta:
        app_label = "shop"

class Seat(models.Model):
    person = models.CharField(max_length=9)
    class Meta:
        app_label = "shop"

def rows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, key, other, wanted FROM ethora_wish ORDER BY id")
        found = [[*row[:3], json.loads(row[3]) if isinstance(row[3], str) else row[3]] for row in cursor.fetchall()]
        cursor.execute("DELETE FROM ethora_wish")
    return found

def migrated():
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        for model in (Person, Seat):
            editor.create_model(model)
"""


@pytest.fixture(params=["postgresql", "sqlite"])
def django_in(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    url = request.getfixturevalue("postgres_url" if request.param == "postgresql" else "sqlite_url")
    if request.param == "postgresql":
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS django_migrations, shop_person, shop_seat")

    def run(program: str) -> Any:
        ended = subprocess.run(
            [sys.executable, "-c", f"{PROGRAM}\n{program}", url],
            capture_output=True, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run


def test_intents_are_part_of_the_transaction(django_in: Callable[[str], Any]) -> None:
    written, lost, nested, other = django_in("""
migrated()
with transaction.atomic():
    outbox.want_users(connection, [ANN])
    outbox.want_no_user(connections["default"], 7)
    outbox.want_chat(connection, NewChat(id="c", title="T", members=["ann"]))
written = rows()
class Stop(Exception):
    pass
try:
    with transaction.atomic():
        outbox.want_user(connection, ANN)
        raise Stop
except Stop:
    pass
lost = rows()
with transaction.atomic():
    outbox.want_no_user(connection, 1)
    try:
        with transaction.atomic():
            outbox.want_no_user(connection, 2)
            raise Stop
    except Stop:
        pass
nested = rows()
with transaction.atomic(using="other"):
    outbox.want_no_user(connections["other"], 3)
print(json.dumps([written, lost, nested, rows()]))
""")
    assert written == [
        ["user", "ann", "", {"email": "ann@example.com", "first_name": "Ann", "last_name": "%s O'Lee"}],
        ["user", "7", "", None],
        ["chat", "c", "", {"title": "T", "access": "private"}],
        ["member", "c", "ann", {}],
    ]
    assert lost == []
    assert nested == [["user", "1", "", None]]
    assert other == [["user", "3", "", None]]


def test_signals_write_intents(django_in: Callable[[str], Any]) -> None:
    saved, changed, inactive, deleted, lost = django_in("""
migrated()
follow_users(Person, lambda one: NewUser(id=one.pk, email=f"{one.name}@example.com", first_name=one.name,
                                          last_name="Lee") if one.active else None)
follow_members(Seat, lambda one: ("c", one.person))
with transaction.atomic():
    ann = Person.objects.create(name="ann")
    seat = Seat.objects.create(person="ann")
saved = rows()
ann.name = "anna"
ann.save()
changed = rows()
ann.active = False
ann.save()
inactive = rows()
ann.delete()
seat.delete()
deleted = rows()
try:
    with transaction.atomic():
        Person.objects.create(name="bob")
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
print(json.dumps([saved, changed, inactive, deleted, rows()]))
""")
    assert [row[:3] for row in saved] == [["user", "1", ""], ["member", "c", "ann"]]
    assert changed[0][3]["first_name"] == "anna"
    assert inactive == [["user", "1", "", None]]
    assert deleted == [["user", "1", "", None], ["member", "c", "ann", None]]
    assert lost == []


def test_migrations_go_back_and_make_what_the_worker_knows(django_in: Callable[[str], Any]) -> None:
    assert django_in("""
import asyncio
migrated()
async def checked():
    store = outbox.open_store(sys.argv[1])
    try:
        await store.check()
        return [await store.init()]
    except ConfigError as error:
        return ["init" in str(error)]
    finally:
        await store.aclose()
first = asyncio.run(checked())
call_command("migrate", "ethora_outbox", "zero", verbosity=0)
second = asyncio.run(checked())
try:
    outbox.want_user(connection, ANN)
    third = None
except ConfigError as error:
    third = "migrate" in str(error)
print(json.dumps([first, second, third]))
""") == [[False], [True], True]
