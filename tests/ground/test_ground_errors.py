"""Every error of the tree pickles, copies and says what happened."""

from __future__ import annotations

import copy
import pickle
import re
from typing import TYPE_CHECKING

import pytest

from ethora_async import errors
from ethora_async.errors import (
    ApiError,
    ChatError,
    ConfigError,
    InvalidInputError,
    ReplyLostError,
    ServerFaultError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ChatError)]
DETAILS = {
    "effect": "unknown",
    "operation": "users.create",
    "status": 503,
    "code": "X",
    "request_id": "r-1",
    "attempts": 3,
    "retry_after": 2.5,
}
PLACE = {"field": "email", "file": "users.csv", "row": 7, "column": "email"}
UNKNOWN = {"ReplyLostError", "ReplyTooLargeError", "ServerFaultError", "JobFailedError", "JobTimeoutError"}


def made(kind: type[ChatError]) -> ChatError:
    return kind("It broke.", **(PLACE if kind is InvalidInputError else DETAILS))  # type: ignore[arg-type]


def pickled(protocol: int) -> Callable[[ChatError], ChatError]:
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


THROUGH = [copy.copy, copy.deepcopy, *(pickled(protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1))]


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("through", THROUGH)
def test_each_class_survives_copies_and_pickles(kind: type[ChatError], through: object) -> None:
    error = made(kind)
    error.add_note("seen by somebody")
    twin = through(error)  # type: ignore[operator]
    assert type(twin) is kind
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))
    assert twin.__notes__ == ["seen by somebody"]


@pytest.mark.parametrize("kind", CLASSES)
def test_the_effect_is_unknown_where_it_is(kind: type[ChatError]) -> None:
    assert kind("x").effect == ("unknown" if kind.__name__ in UNKNOWN else "none")


def test_the_text_names_what_is_known_and_nothing_else() -> None:
    assert str(ConfigError("Only this.")) == "Only this."
    assert str(made(ServerFaultError)) == (
        "It broke. [users.create, HTTP 503, code X, request r-1, 3 attempts, it may have taken effect]"
    )
    assert made(ServerFaultError).message == "It broke."


def test_the_tree_is_the_documented_one() -> None:
    documented = re.findall(r"^ *[│ ]*[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE)
    assert sorted([*documented, "ChatError"]) == sorted(each.__name__ for each in CLASSES)
    assert issubclass(ReplyLostError, TransportError)
    assert issubclass(ServerFaultError, ApiError)


def test_the_column_of_a_file_is_its_field() -> None:
    assert InvalidInputError("x", column="email").field == "email"
    assert InvalidInputError("x", field="id").field == "id"


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (InvalidInputError, ValueError),
        (errors.InvalidTokenError, ValueError),
        (errors.WrongLoopError, RuntimeError),
        (errors.JobTimeoutError, TimeoutError),
    ],
)
def test_an_error_is_also_the_built_in_kind_it_is(kind: type[ChatError], builtin: type[Exception]) -> None:
    error = made(kind)
    with pytest.raises(builtin) as caught:
        raise error
    assert caught.value is error
    assert error.args == ("It broke.",)
    assert str(error).startswith("It broke.")
