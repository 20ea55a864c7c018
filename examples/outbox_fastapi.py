"""An outbox in a FastAPI application: its data and the chat platform stay in step. Against a sandbox:

    ethora sandbox                                                       # prints export lines: paste them
    uvicorn --app-dir examples outbox_fastapi:app

With an SQLite file the worker runs in the application. With PostgreSQL it may be a separate process, or ten:

    export DATABASE_URL=postgresql+asyncpg://app@db/app WORKER=0
    ethora outbox work --database postgresql://app@db/app

The lines about chat are the ones under "chat"; the rest is what your application has already.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ethora_async import EthoraClient, NewChat, NewUser, RocketChatClient, outbox
from ethora_async.web import AppClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# -- your application --------------------------------------------------------------------------------------------------

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///shop.db")
engine = create_async_engine(DATABASE_URL)
sessions = async_sessionmaker(engine, expire_on_commit=False)

if engine.dialect.name == "sqlite":
    # SQLite has one writer at a time: a transaction that will write declares it at its beginning.
    @event.listens_for(engine.sync_engine, "connect")
    def _no_implicit_begin(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(unique=True)
    first_name: Mapped[str]
    last_name: Mapped[str]


class Room(Base):
    __tablename__ = "room"
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]


class Seat(Base):
    __tablename__ = "seat"
    room: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)


class Form(BaseModel):
    email: str
    first_name: str
    last_name: str


# -- chat --------------------------------------------------------------------------------------------------------------

ROCKETCHAT = os.environ.get("PLATFORM") == "rocketchat"
CHANGES_EMAIL = ROCKETCHAT
"""Ethora cannot change the e-mail address of an existing user: the user is deleted, and created with the new one."""

chat: AppClient[Any] = AppClient(RocketChatClient.from_env if ROCKETCHAT else EthoraClient.from_env)
database = DATABASE_URL.replace("+asyncpg", "").replace("+aiosqlite", "")


def described(person: Person) -> NewUser:
    return NewUser(id=person.id, email=person.email or "", first_name=person.first_name, last_name=person.last_name)


async def keep_in_step(session: AsyncSession, people: list[Person], *, addresses_change: bool) -> None:
    """Write the intents for these people, in the transaction that changes them."""
    if addresses_change and not CHANGES_EMAIL:
        ids = [person.id for person in people]
        await outbox.want_no_users(session, ids)
        await outbox.want_users(session, map(described, people))
        # A recreated user is new to the platform: the memberships need new intents.
        seats = await session.scalars(select(Seat).where(Seat.person.in_(ids)))
        await outbox.want_members(session, [(seat.room, seat.person) for seat in seats])
    else:
        await outbox.want_users(session, map(described, people))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        store = outbox.open_store(database)
        await store.init()  # or `ethora outbox init`, when you deploy
        await store.aclose()
        if os.environ.get("WORKER", "1") == "1":
            await stack.enter_async_context(chat)
            await stack.enter_async_context(outbox.Worker(chat, database))
        yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


# -- your application, and in each transaction one line about chat -----------------------------------------------------


async def person_of(session: AsyncSession, id: str) -> Person | None:
    """Return the row, locked: requests about the same person run one after the other."""
    return await session.get(Person, id, with_for_update=True)


@app.put("/people/{id}")
async def put_person(id: str, form: Form) -> dict[str, str]:
    async with sessions.begin() as session:
        person = await person_of(session, id)
        new_address = person is not None and person.email != form.email
        if person is None:
            person = Person(id=id)
            session.add(person)
        person.email, person.first_name, person.last_name = form.email, form.first_name, form.last_name
        await keep_in_step(session, [person], addresses_change=new_address)
    return {"id": id}


@app.delete("/people/{id}")
async def delete_person(id: str) -> dict[str, str]:
    async with sessions.begin() as session:
        person = await person_of(session, id)
        if person is None:
            raise HTTPException(404)
        for seat in await session.scalars(select(Seat).where(Seat.person == id)):
            await session.delete(seat)
        await session.delete(person)
        await outbox.want_no_user(session, id)
    return {"id": id}


@app.post("/people/{id}/swap/{other_id}")
async def swap_addresses(id: str, other_id: str) -> dict[str, str]:
    async with sessions.begin() as session:
        found = [await person_of(session, one) for one in sorted({id, other_id})]
        people = [person for person in found if person is not None]
        if len(people) != 2:
            raise HTTPException(404)
        first, second = people
        taken, given = first.email, second.email
        first.email = None
        await session.flush()
        second.email = taken
        await session.flush()
        first.email = given
        await keep_in_step(session, people, addresses_change=True)
    return {"id": id}


@app.put("/rooms/{id}")
async def put_room(id: str, title: str) -> dict[str, str]:
    async with sessions.begin() as session:
        await session.merge(Room(id=id, title=title))
        await outbox.want_chat(session, NewChat(id=id, title=title))
    return {"id": id}


@app.put("/rooms/{room}/people/{id}")
async def join(room: str, id: str) -> dict[str, str]:
    async with sessions.begin() as session:
        if await person_of(session, id) is None or await session.get(Room, room) is None:
            raise HTTPException(404)
        await session.merge(Seat(room=room, person=id))
        await outbox.want_member(session, room, id)
    return {"id": id}


@app.delete("/rooms/{room}/people/{id}")
async def leave(room: str, id: str) -> dict[str, str]:
    async with sessions.begin() as session:
        if await person_of(session, id) is None:
            raise HTTPException(404)
        if (seat := await session.get(Seat, (room, id))) is not None:
            await session.delete(seat)
        await outbox.want_no_member(session, room, id)
    return {"id": id}
