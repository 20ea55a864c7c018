"""The fuzzed readers of outside input, and the errors that they document."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import attrs
from multidict import CIMultiDict
from yarl import URL

from ethora_async import codec
from ethora_async.cli.serve import keys as serve_keys
from ethora_async.engine.retry import read_date, read_retry_after
from ethora_async.errors import ChatError, ConfigError, InvalidInputError, InvalidTokenError, ReplyLostError
from ethora_async.platforms.avaya import tokens as avaya_tokens
from ethora_async.platforms.avaya.dialect import AvayaDialect
from ethora_async.platforms.ethora import wire as ethora_wire
from ethora_async.platforms.ethora.apps import records as apps
from ethora_async.platforms.ethora.chats import message_records as messages
from ethora_async.platforms.ethora.dialect import EthoraDialect
from ethora_async.platforms.ethora.names import Names
from ethora_async.platforms.ethora.realtime.machine import XmppMachine
from ethora_async.platforms.ethora.sessions import api_keys, files
from ethora_async.platforms.ethora.sessions import session as sessions
from ethora_async.platforms.ethora.users import batch_rows, unread_counts
from ethora_async.platforms.ethora.users.records import UserChange
from ethora_async.platforms.rocketchat import wire as rocketchat_wire
from ethora_async.platforms.rocketchat.dialect import RocketChatDialect
from ethora_async.platforms.rocketchat.realtime import wire as realtime_wire
from ethora_async.platforms.rocketchat.realtime.ddp import DdpMachine
from ethora_async.platforms.rocketchat.realtime.ddp_events import Happened
from ethora_async.records import NewUser
from ethora_async.redaction import Secret, scrub
from ethora_async.request import Origin, Reply, Response
from ethora_async.sandbox.ethora.xmpp.elements import BadXmlError
from ethora_async.sandbox.ethora.xmpp.elements import parse as parse_xml
from ethora_async.sync import USERS, open_source
from ethora_async.sync.plan import plan_file
from ethora_async.sync.sources import mapping
from ethora_async.sync.sources.csv_file import CsvTable
from ethora_async.sync.sources.json_lines import JsonTable
from ethora_async.sync.store import execution, file, problems
from ethora_async.testing.users import FakeClock
from ethora_async.tokens.hs256 import HS256Key, read_unverified
from ethora_async.tokens.oauth2 import _parsed
from ethora_async.transport import _environment_proxies as proxies
from ethora_async_secrets import _formats, provider_from_url
from ethora_async_secrets.errors import SecretError

if TYPE_CHECKING:
    from ethora_async.protocols import Dialect

APP = "6540f2a1b3c4d5e6f7a8b9c0"
NAMES = Names(APP)
PEOPLE = [NewUser(id=f"u{n}", email=f"u{n}@example.com", first_name="Ann", last_name="Lee") for n in range(3)]
CHANGES = [UserChange(id=f"u{n}", first_name="Ann") for n in range(3)]
KEY = HS256Key("a key for the fuzz, long enough")


@attrs.frozen
class Target:
    """One reader.

    Attributes:
        name: its folder in the corpus.
        run: reads an input, in a folder of its own.
        allowed: the errors that it documents.
        share: its part of all inputs, in thousandths.
    """

    name: str
    run: Callable[[bytes, Path], object]
    allowed: tuple[type[BaseException], ...]
    share: int


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _json(data: bytes) -> Any:
    with suppress(ValueError):
        return codec.loads(data)
    return _text(data)[:100]


def _table(reader: Any) -> None:
    try:
        reader.columns()
        while reader.read(100):
            pass
        reader.notes()
    finally:
        reader.close()


def csv_table(data: bytes, folder: Path) -> None:
    (folder / "fuzz.csv").write_bytes(data)
    _table(CsvTable(folder / "fuzz.csv", USERS.required, frozenset(USERS.required)).reader())


def json_table(data: bytes, folder: Path) -> None:
    (folder / "fuzz.json").write_bytes(data)
    _table(JsonTable(folder / "fuzz.json", ("users",)).reader())


def _whole(data: bytes, path: Path) -> None:
    """Read a file as a source, as the commands do."""
    path.write_bytes(data)

    async def read() -> None:
        source = await open_source(path, USERS)
        async with aclosing(source.rows()) as rows:
            async for _ in rows:
                pass

    asyncio.run(read())


def source(data: bytes, folder: Path) -> None:
    _whole(data, folder / "source.csv")


def gzip_source(data: bytes, folder: Path) -> None:
    _whole(data, folder / "source.csv.gz")


def xlsx_source(data: bytes, folder: Path) -> None:
    _whole(data, folder / "source.xlsx")


def mapping_file(data: bytes, folder: Path) -> None:
    (folder / "fuzz.toml").write_bytes(data)
    mapping._read(folder / "fuzz.toml")


def _each(readers: tuple[Callable[[Any], object], ...], value: Any) -> None:
    for read in readers:
        with suppress(ReplyLostError):
            read(value)


_ETHORA: tuple[Callable[[Any], object], ...] = (
    lambda v: ethora_wire.read_user(v, NAMES, origin=Origin("x")),
    lambda v: ethora_wire.read_users(v, NAMES, origin=Origin("x")),
    lambda v: ethora_wire.read_chat(v, NAMES, origin=Origin("x")),
    lambda v: ethora_wire.read_chats(v, NAMES, origin=Origin("x")),
    lambda v: apps.read_app(v, origin=Origin("x")),
    lambda v: apps.read_token(v, origin=Origin("x")),
    lambda v: apps.read_bot(v, origin=Origin("x")),
    lambda v: apps.read_room(v, NAMES, origin=Origin("x")),
    lambda v: messages.read_history(v, origin=Origin("x")),
    lambda v: messages.read_messages(v, origin=Origin("x")),
    lambda v: messages.read_found(v, origin=Origin("x")),
    lambda v: unread_counts.read_unread(v, NAMES, origin=Origin("x")),
    lambda v: files.read_files(v, origin=Origin("x")),
    lambda v: api_keys._read(v, "reply", Origin("x")),
    lambda v: sessions.read_session(v, APP, origin=Origin("x")),
)
_ROCKETCHAT: tuple[Callable[[Any], object], ...] = (
    lambda v: rocketchat_wire.read_user(v, origin=Origin("x")),
    lambda v: rocketchat_wire.read_chat(v, origin=Origin("x")),
    lambda v: rocketchat_wire.read_message(v, origin=Origin("x")),
    lambda v: rocketchat_wire.read_changes(v, origin=Origin("x")),
    lambda v: rocketchat_wire.read_list(v, "users", rocketchat_wire.read_user, origin=Origin("x")),
    lambda v: rocketchat_wire.total(v if isinstance(v, dict) else {}),
)
_JOBS: tuple[Callable[[Any], object], ...] = (
    batch_rows.job_id,
    lambda v: batch_rows.match_created(PEOPLE, v, NAMES, attempts=1),
    lambda v: batch_rows.match_updated(CHANGES, v, NAMES, attempts=1),
    lambda v: list(batch_rows.match_sent(["c1", "c2"], v, NAMES)),
)


def ethora_replies(data: bytes, _: Path) -> None:
    _each(_ETHORA, _json(data))


def rocketchat_replies(data: bytes, _: Path) -> None:
    _each(_ROCKETCHAT, _json(data))


def job_rows(data: bytes, _: Path) -> None:
    _each(_JOBS, _json(data))


def other_replies(data: bytes, _: Path) -> None:
    value = _json(data)
    _parsed(value)
    avaya_tokens._token(Reply(200, value, {}))


_DIALECTS: tuple[Dialect, ...] = (
    EthoraDialect(),
    RocketChatDialect(FakeClock()),
    AvayaDialect(lambda: ["a-known-secret"]),
)
_STATUSES = (400, 401, 403, 404, 409, 422, 429, 500, 503)


def failures(data: bytes, _: Path) -> None:
    kind = "text/html" if data[:1] == b"<" else "application/json"
    for number, dialect in enumerate(_DIALECTS):
        status = _STATUSES[(len(data) + number) % len(_STATUSES)]
        dialect.read_failure(Response(status, CIMultiDict({"Content-Type": kind, "Retry-After": "1"}), data))
    scrub(_text(data), ["a-known-secret"])


def tokens(data: bytes, _: Path) -> None:
    text = _text(data)
    KEY.verifies(text)
    sessions.life(Secret(text))
    avaya_tokens.expiry(Secret(text))
    with suppress(UnicodeEncodeError, InvalidTokenError):
        text.encode()
        read_unverified(text)
    # A token whose parts are decodable, whatever stands in them.
    payload = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode()
    sessions.life(Secret(f"{header}.{payload}.x"))
    avaya_tokens.expiry(Secret(f"{header}.{payload}.x"))
    KEY.verifies(f"{payload}.{header}.x")
    read_unverified(f"{header}.{payload}.x")


def public_keys(data: bytes, _: Path) -> None:
    serve_keys._of_bytes("fuzz", data)


def ddp_frames(data: bytes, _: Path) -> None:
    machine = DdpMachine("user-1")
    machine.opened(Secret("token"), 0.0)
    connected = json.dumps({"msg": "connected", "session": "s"})
    login = json.dumps({"msg": "result", "id": "login", "result": {"id": "user-1", "token": "t"}})
    for frame in (connected, login, *_text(data).split("\n")[:20]):
        for event in machine.received(frame, 1.0):
            if isinstance(event, Happened):
                with suppress(ReplyLostError):
                    realtime_wire.read_event(event.topic, event.args)
    machine.on_time(100.0)
    machine.to_send()


def xmpp_frames(data: bytes, _: Path) -> None:
    text = _text(data)
    with suppress(BadXmlError):
        parse_xml(text)
    machine = XmppMachine("xmpp.example")
    machine.opened("user", Secret("password"), 0.0)
    machine.enter("room@conference.xmpp.example")
    for frame in text.split("\n")[:20]:
        machine.received(frame, 1.0)
    machine.on_time(100.0)


def plan_files(data: bytes, _: Path) -> None:
    place = Path("fuzz.plan")
    _head, changes = plan_file._read_head(iter(_text(data).splitlines(keepends=True)), place)
    number = 0
    while part := plan_file._next(changes, place, number):
        number += len(part)


def journals(data: bytes, folder: Path) -> None:
    """Open a mutated journal file, and query it as the commands do."""
    path = folder / "fuzz.journal"
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    path.write_bytes(data)
    _, database = file.open_file(path)
    try:
        execution.take_up(database)
        execution.counts(database)
        execution.steps(database)
        execution.select_entries(database, "1", limit=100)
        problems.problem_counts(database)
    finally:
        database.close()


def env_files(data: bytes, _: Path) -> None:
    text = _text(data)
    with suppress(_formats.FormatError):
        _formats.parse_dotenv(text)
    _formats.parse_json(text)


def provider_urls(data: bytes, _: Path) -> None:
    provider_from_url(_text(data), environ={"ETHORA_CHAT_APP_SECRET": "secret", "VAULT_TOKEN": "token"})


def waits(data: bytes, _: Path) -> None:
    text = data.decode("latin-1")
    read_retry_after({"retry-after": text}, 1_700_000_000.0)
    read_retry_after({"retry-after-ms": text}, 1_700_000_000.0)
    read_date(text)


_URLS = (URL("https://api.example.com/x"), URL("http://10.1.2.3:8080/"), URL("http://[::1]/"))


def no_proxy(data: bytes, _: Path) -> None:
    found = {"no": _text(data), "http": "proxy.example:3128", "https": "http://proxy.example"}
    with mock.patch.object(proxies, "getproxies_environment", return_value=found):
        chosen = proxies.EnvironmentProxies()
    for url in _URLS:
        chosen.proxy_for(url)


TARGETS: tuple[Target, ...] = (
    Target("csv", csv_table, (InvalidInputError,), 60),
    Target("json", json_table, (InvalidInputError,), 60),
    Target("csv", source, (InvalidInputError, ConfigError), 2),
    Target("gzip", gzip_source, (InvalidInputError, ConfigError), 2),
    Target("xlsx", xlsx_source, (InvalidInputError, ConfigError), 1),
    Target("mapping", mapping_file, (InvalidInputError,), 40),
    Target("ethora", ethora_replies, (), 110),
    Target("rocketchat", rocketchat_replies, (), 100),
    Target("jobs", job_rows, (), 100),
    Target("oauth", other_replies, (), 40),
    Target("failures", failures, (), 90),
    Target("tokens", tokens, (InvalidTokenError,), 60),
    Target("keys", public_keys, (ConfigError,), 20),
    Target("ddp", ddp_frames, (), 60),
    Target("xmpp", xmpp_frames, (), 50),
    Target("plans", plan_files, (InvalidInputError,), 60),
    Target("journals", journals, (ChatError, sqlite3.DatabaseError), 1),
    Target("env", env_files, (_formats.FormatError,), 50),
    Target("urls", provider_urls, (SecretError,), 30),
    Target("waits", waits, (), 34),
    Target("noproxy", no_proxy, (), 30),
)
