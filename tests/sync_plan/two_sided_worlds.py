"""Two sides in which people got new ids, exchanged e-mail addresses, or are spelled otherwise; and what must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from hypothesis import strategies as st

from ethora_async.records import NewUser

if TYPE_CHECKING:
    from collections.abc import Iterable

IDS = ["ann", "Ann", "bea", "Bea", "cyd", "dan", "eve"]
ADDRESSES = [f"{name}@example.com" for name in "abcdef"]
ROOM = "board"


@attrs.frozen
class Person:
    """Somebody on the platform."""

    id: str
    email: str
    name: str


@attrs.frozen
class World:
    """Who is there, who is wanted, and who is in the one room, or should be."""

    there: tuple[Person, ...]
    wanted: tuple[Person, ...]
    inside: frozenset[str]
    admitted: frozenset[str]

    def users(self) -> list[NewUser]:
        return [NewUser(id=one.id, email=one.email, first_name=one.name, last_name="Lee") for one in self.wanted]

    def pairs(self) -> list[tuple[str, str]]:
        return [(ROOM, id) for id in sorted(self.admitted)]

    def matches(self, *, folds: bool) -> dict[str, str]:
        """Whom of those there each wanted id certainly means: by wanted id."""
        found = {one.id: one.id for one in self.wanted if one.id in {other.id for other in self.there}}
        keys = [key(one.id, folds=folds) for one in self.wanted]
        taken = set(keys)
        for one in self.wanted:
            alone = keys.count(key(one.id, folds=folds)) == 1
            for other in self.there:
                same = key(one.id, folds=folds) == key(other.id, folds=folds)
                new = one.id not in found and key(other.id, folds=folds) not in taken
                if one.email == other.email and one.id not in found and alone and (same or new):
                    found[one.id] = other.id
        return found


def key(id: str, *, folds: bool) -> str:
    return id.lower() if folds else id


@st.composite
def worlds(draw: st.DrawFn, *, folds_there: bool = True) -> World:
    """`folds_there`: whether the platform itself can hold no two ids that differ by case alone."""
    there = draw(people(folds=folds_there))
    wanted = draw(people(folds=False))
    inside = draw(st.sets(st.sampled_from([one.id for one in there]))) if there else set()
    admitted = draw(st.sets(st.sampled_from([one.id for one in wanted]))) if wanted else set()
    return World(there, wanted, frozenset(inside), frozenset(admitted))


@st.composite
def people(draw: st.DrawFn, *, folds: bool) -> tuple[Person, ...]:
    ids = draw(st.lists(st.sampled_from(IDS), unique_by=lambda id: key(id, folds=folds), max_size=5))
    addresses = draw(st.permutations(ADDRESSES))
    names = [draw(st.sampled_from(["Ann", "Bea"])) for _ in ids]
    return tuple(Person(*one) for one in zip(ids, addresses, names, strict=False))


def spelled_like(id: str, others: Iterable[str]) -> bool:
    return id.lower() in {other.lower() for other in others}
