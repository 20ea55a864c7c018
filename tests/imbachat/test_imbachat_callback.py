"""Requests of the chat server, and the replies (docs/platforms/imbachat.md#callbacks, #rules-of-our-handler)."""

from __future__ import annotations

import base64
import inspect
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imbachat_parts import KEY, LOGIN, PASSWORD, People, basic, client, person
from multidict import CIMultiDict, MultiDict

from ethora_async import ConfigError, ImbaChatClient, InvalidInputError, UserInfo
from ethora_async.platforms.imbachat.basic_auth import let_in
from ethora_async.platforms.imbachat.user_info import Profile
from ethora_async.testing.users import FakeClock
from ethora_async.tokens.settings import Values
from ethora_async_secrets import SecretUnavailableError
from ethora_async_secrets.testing import MemoryProvider

BODY_401 = b'{"code":401,"version":1,"error":"Authenticate required!","debug":""}'


async def ask(path: str = "/", query: Any = "", *, people: People | None = None, **options: Any) -> Any:
    """The status of one authenticated GET, and its JSON."""
    handler = client().user_info((people or People()).lookup, **options)
    answer = await handler.handle("GET", path, query, basic())
    return answer.status, json.loads(answer.body)


FORMS: dict[str, tuple[str, str]] = {
    "user_ids": ("/", "user_ids=7,1"),
    "user_ids without a slash": ("", "user_ids=7,1"),
    "user_ids, encoded": ("/", "user_ids=7%2C%201"),
    "user_ids among others": ("/", "x=1&user_ids=7,1&lang=en"),
    "user_ids twice": ("/", "user_ids=7&user_ids=1"),
    "ids": ("/", "ids=7,1"),
    "OpenCart's": ("/index.php", "route=extension/module/imbachat/users&ids=7,1"),
    "the path alone": ("/7,1", ""),
    "the path, encoded": ("/7%2C1", ""),
    "OctoberCMS's": ("/users/7,1", ""),
    "WordPress's": ("/getusers/7,1", ""),
    "a slash behind": ("/users/7,1/", ""),
    "ids below users": ("/users", "ids=7,1"),
}


@pytest.mark.parametrize(("path", "query"), FORMS.values(), ids=FORMS.keys())
async def test_every_form_in_which_the_ids_may_come(path: str, query: str) -> None:
    people = People()
    prefix = "/index.php" if "index" in path else ""
    assert await ask(path, query, people=people, prefix=prefix) == (
        200,
        [{"user_id": 7, "name": "Person 7"}, {"user_id": 1, "name": "Person 1"}],
    )
    assert people.asked == [[7, 1]]


@pytest.mark.parametrize("query", [{"user_ids": "7,1"}, MultiDict([("ids", "7"), ("ids", "1")])])
async def test_a_query_that_a_framework_has_taken_apart(query: Any) -> None:
    status, users = await ask("/", query)
    assert (status, [user["user_id"] for user in users]) == (200, [7, 1])


@pytest.mark.parametrize("path", ["/imba/v1/users/7,1", "/users/7,1"])
async def test_a_prefix_that_the_framework_took_off_or_not(path: str) -> None:
    assert (await ask(path, prefix="/imba/v1/"))[0] == 200


async def test_a_prefix_is_a_whole_step_of_the_path() -> None:
    assert (await ask("/imba/v12/users/7", prefix="/imba/v1"))[0] == 404


IDS: dict[str, tuple[str, int, list[int]]] = {
    "one": ("7", 200, [7]),
    "duplicates": ("7,1,7", 200, [7, 1]),
    "spaces": (" 7 , 1 ", 200, [7, 1]),
    "trailing comma": ("7,1,", 200, [7, 1]),
    "double comma": ("7,,1", 200, [7, 1]),
    "empty": ("", 200, []),
    "commas alone": (",,", 200, []),
    "unknown among them": ("7,99,1", 200, [7, 1]),
    "unknown alone": ("98,99", 200, []),
    "zero": ("0", 400, []),
    "negative": ("-7", 400, []),
    "exponent": ("1e3", 400, []),
    "full-width digits": ("７", 400, []),
    "another separator": ("1;7", 400, []),
    "a profile's id": ("P11-A", 400, []),
    "one bad among good": ("7,x", 400, []),
    "leading zeros": ("007", 400, []),
    "SQL": ("1) OR 1=1 --", 400, []),
    "too large a number": ("9" * 20, 400, []),
    "200 of them": (",".join(map(str, range(1, 201))), 200, [1, 2, 7]),
    "201 of them": (",".join(map(str, range(1, 202))), 400, []),
    "far too many": ("1," * 100_000, 400, []),
}


@pytest.mark.parametrize("form", ["user_ids", "ids", "path"])
@pytest.mark.parametrize(("ids", "status", "found"), IDS.values(), ids=IDS.keys())
async def test_ids_of_every_kind(form: str, ids: str, status: int, found: list[int]) -> None:
    people = People()
    if form == "path":
        given_status, data = await ask(f"/users/{ids.replace(' ', '%20')}", people=people)
    else:
        given_status, data = await ask("/", {form: ids}, people=people)
    assert given_status == status
    if status == 200:
        assert [user["user_id"] for user in data] == found
    else:
        assert data["code"] == 400
        assert people.asked == []
    assert all(type(id) is int for asked in people.asked for id in asked)


async def test_nobody_asked_for_is_not_looked_up() -> None:
    people = People()
    assert await ask("/", "user_ids=", people=people) == (200, [])
    assert people.asked == []


async def test_ids_of_the_sites_own_form() -> None:
    people = People(person("P11-A"), person("b"))
    options: dict[str, Any] = {"id_pattern": r"[A-Za-z0-9-]+", "separator": ";", "people": people}
    status, users = await ask("/", {"user_ids": "b;P11-A;zz"}, **options)
    assert (status, [user["user_id"] for user in users]) == (200, ["b", "P11-A"])
    assert people.asked == [["b", "P11-A", "zz"]]
    assert (await ask("/", {"user_ids": "b;../x"}, **options))[0] == 400
    assert (await ask("/", {"user_ids": "b" * 257}, **options))[0] == 400


async def test_a_lookup_that_finds_more_than_was_asked_for_tells_no_more() -> None:
    everybody = [person(number) for number in range(1, 9)]

    async def lookup(ids: Any) -> list[UserInfo]:
        return everybody

    answer = await client().user_info(lookup).handle("GET", "/", "ids=3", basic())
    assert answer.body == b'[{"user_id":3,"name":"Person 3"}]'


async def test_the_vendors_examples_byte_for_byte() -> None:
    people = People(UserInfo(user_id=6, name="John"))
    answer = await client().user_info(people.lookup).handle("GET", "/", "user_ids=6,6", basic())
    assert answer.body == b'[{"user_id":6,"name":"John"}]'
    assert answer.headers == {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


async def test_the_vendors_detailed_example_with_profiles() -> None:
    avatar = "http://comet-server.ru/doc/CometQL/Star.Comet-Chat/img/avatar0.png"
    example = {
        "user_id": 6,
        "avatar_url": avatar,
        "name": "John",
        "profiles": {"11": {"user_id": "P11-A", "avatar_url": avatar, "name": "P11-John"}},
    }
    john = UserInfo(
        user_id=6,
        name="John",
        avatar_url=avatar,
        profiles={"11": Profile(user_id="P11-A", name="P11-John", avatar_url=avatar)},
    )
    assert await ask("/", "user_ids=6", people=People(john)) == (200, [example])


async def test_everything_optional_under_the_names_of_the_contract() -> None:
    user = UserInfo(
        user_id=6,
        name="John",
        profile_url="https://www.example.com/members/6/",
        last_login=datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        badge="gold",
        email="John@Example.com",
        chat_role="admin",
        permissions={"send_files": False, "audio_calls": True},
        extra={"city": "Rome", "user_id": "not this one", "nothing": None},
    )
    assert await ask("/", "user_ids=6", people=People(user)) == (
        200,
        [
            {
                "city": "Rome",
                "user_id": 6,
                "name": "John",
                "profile_url": "https://www.example.com/members/6/",
                "lastlogin": 1_700_000_000,
                "badge": "gold",
                "user_mail": "john@example.com",
                "chat_role": "admin",
                "permissions": {"send_files": False, "audio_calls": True},
            }
        ],
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"user_id": None}, "user_id"),
        ({"user_id": True}, "user_id"),
        ({"user_id": ""}, "user_id"),
        ({"avatar_url": "javascript:alert(1)"}, "avatar_url"),
        ({"avatar_url": "/relative.png"}, "avatar_url"),
        ({"avatar_url": "https://x/ y"}, "avatar_url"),
        ({"avatar_url": "https://[x"}, "avatar_url"),
        ({"profile_url": "data:text/html,x"}, "profile_url"),
        ({"avatar_url": False}, "avatar_url"),
        ({"last_login": datetime(2023, 1, 1)}, "last_login"),  # noqa: DTZ001
        ({"last_login": "yesterday"}, "last_login"),
        ({"last_login": float("nan")}, "last_login"),
        ({"email": "no address"}, "email"),
        ({"chat_role": "root"}, "chat_role"),
        ({"profiles": {"1": {"user_id": "x"}}}, "profiles"),
        ({"permissions": {"send_files": 1}}, "permissions"),
    ],
)
def test_a_user_that_the_chat_could_not_show_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        person(1, **changes)
    assert caught.value.field == field


def auth(value: str) -> dict[str, str]:
    return {"Authorization": value}


def encoded(raw: bytes | str) -> str:
    return base64.b64encode(raw.encode() if isinstance(raw, str) else raw).decode()


REFUSED: dict[str, Any] = {
    "none": {},
    "another scheme": auth(f"Bearer {encoded(f'{LOGIN}:{PASSWORD}')}"),
    "no scheme": auth(encoded(f"{LOGIN}:{PASSWORD}")),
    "bad base64": auth("Basic @@@@"),
    "base64url": auth("Basic ".ljust(9, "_")),
    "not ASCII": auth("Basic é"),
    "empty": auth("Basic "),
    "no colon": auth(f"Basic {encoded(LOGIN + PASSWORD)}"),
    "an empty pair": auth(f"Basic {encoded(':')}"),
    "another login": basic(login="imbb"),
    "a longer login": basic(login="imbaa"),
    "another password of the same length": basic(password="Pa55:w0rd$"),
    "a longer password": basic(password=PASSWORD + "x"),
    "the password cut at its colon": basic(password="Pa55"),
    "the password in capitals": basic(password=PASSWORD.upper()),
    "the password in another encoding": auth(f"Basic {encoded(f'{LOGIN}:{PASSWORD}'.encode('latin-1'))}"),
    "two headers": [*basic().items(), *basic().items()],
    "two headers, one of them empty": CIMultiDict([*basic().items(), ("authorization", "")]),
    "too long a header": auth(f"Basic {encoded('x' * 5000 + ':y')}"),
}


@pytest.mark.parametrize("path", ["/", "/users/1", "/nonsense/at/all", "/search/x"])
@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED.keys())
async def test_who_is_not_let_in_gets_the_documented_answer_whatever_the_reason(headers: Any, path: str) -> None:
    people = People()
    handler = client().user_info(people.lookup, search=people.search)
    answer = await handler.handle("GET", path, "user_ids=not-parsed-even", headers)
    assert (answer.status, answer.body) == (401, BODY_401)
    assert answer.headers == {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "WWW-Authenticate": 'Basic realm="Backend"',
    }
    assert (people.asked, people.searched) == ([], [])


@pytest.mark.parametrize(
    ("login", "headers"),
    [
        (LOGIN, basic()),
        (LOGIN, basic(login="IMBA")),
        ("Imba", basic(login="imba")),
        ("IMBA", basic(login="iMBa")),
        ("Größe", basic(login="gRÖßE")),
        (LOGIN, {"authorization": basic()["Authorization"].replace("Basic", "bAsIc")}),
        (LOGIN, {"AUTHORIZATION": basic()["Authorization"], "x": "y"}),
        (LOGIN, list(basic().items())),
        (LOGIN, CIMultiDict(basic())),
        (LOGIN, {"Authorization": basic()["Authorization"].replace(" ", "   ")}),
    ],
)
async def test_who_is_let_in(login: str, headers: Any) -> None:
    handler = client(api_login=login).user_info(People().lookup)
    assert (await handler.handle("GET", "/", "ids=1", headers)).status == 200


def test_the_rfcs_examples() -> None:
    for login, password, header in (
        ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123£", "dGVzdDoxMjPCow=="),
    ):
        values = Values({"IMBACHAT_API_LOGIN": login, "IMBACHAT_API_PASSWORD": password})
        assert let_in(auth(f"Basic {header}"), [values])


@given(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6), st.text(max_size=6))
def test_nothing_but_the_pair_itself_opens(login: str, password: str, other_login: str, other_password: str) -> None:
    try:
        headers = basic(other_login, other_password)
        values = Values({"IMBACHAT_API_LOGIN": login, "IMBACHAT_API_PASSWORD": password})
    except UnicodeEncodeError:
        return
    presented = f"{other_login}:{other_password}"
    presented_login, _, presented_password = presented.partition(":")
    same = presented_login.lower() == login.lower() and presented_password == password
    usable = bool(login.strip()) and bool(password.strip())
    assert let_in(headers, [values]) == (same and usable)


@pytest.mark.parametrize(
    "values", [{}, {"IMBACHAT_API_LOGIN": "imba"}, {"IMBACHAT_API_LOGIN": "", "IMBACHAT_API_PASSWORD": ""}]
)
@pytest.mark.parametrize("pair", [("", ""), ("imba", ""), ("imba", "x")])
def test_unset_settings_let_nobody_in(values: dict[str, str], pair: tuple[str, str]) -> None:
    assert not let_in(basic(*pair), [Values(values)])
    assert not let_in(basic(*pair), [])


def test_both_parts_are_compared_in_constant_time_and_always(monkeypatch: pytest.MonkeyPatch) -> None:
    from ethora_async.platforms.imbachat import basic_auth

    seen: list[tuple[bytes, bytes]] = []

    def watched(one: bytes, other: bytes) -> bool:
        seen.append((one, other))
        return one == other

    monkeypatch.setattr(basic_auth.hmac, "compare_digest", watched)
    current, previous = (
        Values({"IMBACHAT_API_LOGIN": "imba", "IMBACHAT_API_PASSWORD": word}) for word in ("new", "old")
    )
    assert not let_in(basic("nobody", "wrong"), [current, previous])
    assert seen == [(b"nobody", b"imba"), (b"wrong", b"new"), (b"nobody", b"imba"), (b"wrong", b"old")]
    seen.clear()
    assert let_in(basic("imba", "new"), [current, previous])
    assert len(seen) == 4
    assert "==" not in inspect.getsource(let_in)


@pytest.mark.parametrize(
    "changes",
    [{"api_login": None}, {"api_password": None}, {"api_login": "a:b"}, {"api_login": None, "api_password": None}],
)
def test_without_a_usable_login_there_is_no_handler(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"IMBACHAT_API_(LOGIN|PASSWORD)"):
        client(**changes).user_info(People().lookup)


@pytest.mark.parametrize("changes", [{"api_login": ""}, {"api_password": " "}])
def test_an_empty_login_is_refused_at_once(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="empty"):
        client(**changes)


@pytest.mark.parametrize("options", [{"separator": ""}, {"separator": " "}, {"max_ids": 0}, {"max_found": 0}])
def test_a_handler_that_could_not_work_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        client().user_info(People().lookup, **options)


async def test_the_login_rotates_with_the_store_and_the_previous_one_is_let_in() -> None:
    clock = FakeClock()
    settings = {"IMBACHAT_SECRET_KEY": KEY, "IMBACHAT_API_LOGIN": "imba", "IMBACHAT_API_PASSWORD": "first"}
    store = MemoryProvider(settings)
    handler = ImbaChatClient.from_secrets(store, clock=clock).user_info(People().lookup)

    async def status(password: str) -> int:
        return (await handler.handle("GET", "/", "ids=1", basic("imba", password))).status

    assert [await status("first"), await status("second")] == [200, 401]
    store.put({**settings, "IMBACHAT_API_PASSWORD": "second"})
    clock.advance(31)
    assert [await status("first"), await status("second")] == [200, 200]
    store.put({**settings, "IMBACHAT_API_PASSWORD": "third"})
    clock.advance(31)
    assert [await status("first"), await status("second"), await status("third")] == [401, 200, 200]


async def test_a_store_that_lacks_the_login_or_is_down_lets_nobody_in() -> None:
    store = MemoryProvider({"IMBACHAT_SECRET_KEY": KEY})
    handler = ImbaChatClient.from_secrets(store).user_info(People().lookup)
    with pytest.raises(ConfigError, match="IMBACHAT_API_LOGIN"):
        await handler.handle("GET", "/", "ids=1", basic("", ""))
    store.fail(SecretUnavailableError("The store is down.", "memory"))
    handler = ImbaChatClient.from_secrets(store).user_info(People().lookup)
    with pytest.raises(ConfigError, match="The store is down"):
        await handler.handle("GET", "/", "ids=1", basic())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/users/1", "/1"])
async def test_only_get_asks_for_users(method: str, path: str) -> None:
    people = People()
    answer = await client().user_info(people.lookup).handle(method, path, "ids=1", basic())
    assert answer.status == 404
    assert people.asked == []


@pytest.mark.parametrize(
    "path",
    ["/auth_users", "/sync", "/getauthdata", "/user/friends/1", "/notifications", "/users/1/2", "/a/b/c", "/gettoken"],
)
async def test_the_plugins_other_routes_do_not_exist(path: str) -> None:
    people = People()
    status, _ = await ask(path, people=people)
    assert status in (400, 404)
    assert people.asked == []


@pytest.mark.parametrize("path", ["", "/", "/imba", "/imba/"])
@pytest.mark.parametrize("headers", [{}, basic()])
async def test_the_version_is_told_to_everybody(path: str, headers: dict[str, str]) -> None:
    answer = await client().user_info(People().lookup, prefix="/imba").handle("GET", path, "", headers)
    told = json.loads(answer.body)
    assert answer.status == 200
    assert (told["version"], type(told["version"])) == (1, int)
    assert told["type"].startswith("ethora-async ")


async def test_search_is_off_unless_asked_for() -> None:
    for path in ("/search/Person", "/searchusers/Person"):
        assert (await ask(path))[0] == 404


@pytest.mark.parametrize(("term", "found"), [("Person%207", [7]), ("person", [1, 2, 7]), ("nobody", [])])
async def test_search_in_both_forms(term: str, found: list[int]) -> None:
    people = People()
    hits = [{"name": f"Person {id}", "user_id": id} for id in found]
    assert await ask(f"/search/{term}", search=people.search) == (200, {"code": 200, "version": 1, "data": hits})
    assert await ask(f"/searchusers/{term}", search=people.search) == (200, hits)
    handler = client().user_info(people.lookup, search=people.search)
    answer = await handler.handle("POST", f"/searchusers/{term}", "", basic())
    assert json.loads(answer.body) == hits


@pytest.mark.parametrize("term", ["", "%20", "x" * 101])
async def test_a_search_for_nothing_or_for_too_much_finds_nobody(term: str) -> None:
    people = People()
    assert (await ask(f"/search/{term}", search=people.search))[1]["data"] == []
    assert await ask(f"/searchusers/{term}", search=people.search) == (200, [])
    assert people.searched == []


async def test_a_term_is_handed_over_as_it_was_sent_and_hits_are_capped() -> None:
    people = People(*(person(number, email=f"p{number}@example.com") for number in range(1, 50)))
    await ask("/search/100%25_%27%2F%3Bdrop", search=people.search)
    assert people.searched == ["100%_'/;drop"]
    status, answer = await ask("/search/Person", search=people.search)
    assert (status, len(answer["data"])) == (200, 20)
    assert answer["data"][0] == {"name": "Person 1", "user_id": 1, "email": "p1@example.com"}
    assert len((await ask("/searchusers/Person", search=people.search, max_found=3))[1]) == 3


async def test_what_a_lookup_raises_is_the_applications_own_affair() -> None:
    async def lookup(ids: Any) -> list[UserInfo]:
        raise KeyError("the database")

    with pytest.raises(KeyError, match="the database"):
        await client().user_info(lookup).handle("GET", "/", "ids=1", basic())


async def test_names_go_out_as_json_and_never_as_html() -> None:
    user = person(1, name="</script><b>Zoë\u2028")
    answer = await client().user_info(People(user).lookup).handle("GET", "/1", "", basic())
    assert json.loads(answer.body)[0]["name"] == "</script><b>Zoë"  # white space around a name is trimmed
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_answers_headers_are_its_own() -> None:
    handler = client().user_info(People().lookup)
    first = await handler.handle("GET", "/1", "", basic())
    dict.update(first.headers, {"X": "y"})  # type: ignore[arg-type]
    assert "X" not in (await handler.handle("GET", "/1", "", basic())).headers
