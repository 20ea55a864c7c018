from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import attrs
import pytest

from ethora_async_secrets import (
    BadProviderURLError,
    SecretBundle,
    SecretDeniedError,
    SecretError,
    SecretMalformedError,
    SecretNotFoundError,
    SecretUnavailableError,
    StaticProvider,
)

CANARY = "canary-5b1e9d"
NAME = "ETHORA_CHAT_APP_SECRET"


@pytest.fixture
def bundle() -> SecretBundle:
    return SecretBundle({NAME: CANARY}, source="env", previous={NAME: CANARY + "-old"}, pending={NAME: CANARY + "-new"})


def test_values_come_out_by_reveal_and_get(bundle: SecretBundle):
    assert bundle.reveal(NAME) == CANARY
    assert bundle.get(NAME) == CANARY
    assert bundle.get("ABSENT") is None
    assert bundle.get("ABSENT", "x") == "x"
    assert bundle.names() == {NAME}
    assert NAME in bundle
    assert "ABSENT" not in bundle
    assert bundle.previous is not None
    assert bundle.previous.reveal(NAME) == CANARY + "-old"
    assert bundle.pending is not None
    assert bundle.pending.reveal(NAME) == CANARY + "-new"


def test_an_absent_name_is_an_error_that_says_what_is_there(bundle: SecretBundle):
    with pytest.raises(SecretNotFoundError) as caught:
        bundle.reveal("ETHORA_TYPO")
    error = caught.value
    assert (error.name, error.source, error.names) == ("ETHORA_TYPO", "env", (NAME,))
    assert "ETHORA_TYPO" in str(error)
    assert NAME in str(error)


def test_the_version_follows_the_values():
    one = SecretBundle({"A": "1", "B": "2"})
    assert one.version == SecretBundle({"B": "2", "A": "1"}).version
    assert one.version != SecretBundle({"A": "1", "B": "3"}).version
    # lengths are part of the digest: text moving from a name to its value is a change
    assert SecretBundle({"A": "BC"}).version != SecretBundle({"AB": "C"}).version
    assert SecretBundle({"A": "1"}, version="v7").version == "v7"


def test_the_version_differs_in_another_process(monkeypatch: pytest.MonkeyPatch):
    here = SecretBundle({"A": "1"}).version
    monkeypatch.setattr("ethora_async_secrets.text._PROCESS_KEY", b"another process's key")
    assert SecretBundle({"A": "1"}).version != here


def test_equality_is_by_version_and_source(bundle: SecretBundle):
    assert SecretBundle({"A": "1"}, source="env") == SecretBundle({"A": "1"}, source="env")
    assert hash(SecretBundle({"A": "1"})) == hash(SecretBundle({"A": "1"}))
    assert SecretBundle({"A": "1"}, source="env") != SecretBundle({"A": "1"}, source="file:/x")
    assert SecretBundle({"A": "1"}) != SecretBundle({"A": "1"}, previous={"A": "0"})
    assert bundle != {NAME: CANARY}


def test_a_bundle_does_not_change(bundle: SecretBundle):
    with pytest.raises(AttributeError, match="does not change"):
        bundle._version = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="does not change"):
        del bundle._values
    values = {"A": "1"}
    made = SecretBundle(values)
    values["A"] = "2"
    assert made.reveal("A") == "1"


@pytest.mark.parametrize(("values", "error"), [({"A": 1}, TypeError), ({1: "a"}, TypeError), ({"": "a"}, ValueError)])
def test_names_and_values_are_checked(values: dict[str, str], error: type[Exception]):
    with pytest.raises(error):
        SecretBundle(values)


def test_a_refused_value_is_not_shown():
    with pytest.raises(TypeError) as caught:
        SecretBundle({"A": CANARY.encode()})  # type: ignore[dict-item]
    assert CANARY not in str(caught.value)


def test_an_empty_version_is_refused_and_an_empty_side_is_none():
    with pytest.raises(ValueError, match="version is empty"):
        SecretBundle({"A": "1"}, version="")
    assert SecretBundle({"A": "1"}, previous={}, pending={}).previous is None


def test_suffixed_names_are_sides():
    made = SecretBundle.from_names({"A": "1", "A_PREVIOUS": "0", "A_PENDING": "2", "_PREVIOUS": "x"}, source="s")
    assert made.names() == {"A", "_PREVIOUS"}
    assert made.previous is not None
    assert made.previous.reveal("A") == "0"
    assert made.pending is not None
    assert made.pending.reveal("A") == "2"
    assert made.pending.source == "s"


def test_canary_nothing_printed_shows_a_value(bundle: SecretBundle, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("t").warning("%s %r %s", bundle, bundle, {"b": bundle})
    printed = [repr(bundle), str(bundle), f"{bundle}", f"{bundle:>200}", "%s" % bundle, "%r" % [bundle]]  # noqa: UP031
    printed += [repr(StaticProvider(bundle)), caplog.text, repr(dir(bundle)), bundle.version]
    assert CANARY not in "".join(printed)
    assert repr(bundle) == f"SecretBundle(source='env', version='{bundle.version}', names=['{NAME}'])"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_canary_pickle_is_refused_with_the_reason(bundle: SecretBundle, protocol: int):
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        pickle.dumps(bundle, protocol)


@pytest.mark.parametrize("way_out", [copy.copy, copy.deepcopy, lambda bundle: bundle.__getstate__()])
def test_canary_copies_are_refused_with_the_reason(bundle: SecretBundle, way_out):
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        way_out(bundle)


@pytest.mark.parametrize("way_out", [vars, list, dict, json.dumps, attrs.asdict, attrs.astuple])
def test_canary_generic_ways_to_the_content_are_closed(bundle: SecretBundle, way_out):
    with pytest.raises((TypeError, attrs.exceptions.NotAnAttrsClassError)):
        way_out(bundle)


def test_canary_a_bundle_in_an_attrs_value_stays_masked(bundle: SecretBundle):
    @attrs.frozen
    class Config:
        secrets: SecretBundle

    assert CANARY not in repr(attrs.asdict(Config(bundle)))
    assert CANARY not in repr(attrs.astuple(Config(bundle)))


def test_canary_locals_in_a_traceback_are_masked(bundle: SecretBundle):
    try:
        bundle.reveal("ABSENT")
    except SecretNotFoundError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "SecretBundle(source=" in shown
    assert CANARY not in shown


@pytest.mark.parametrize(
    "error",
    [
        SecretError("m", "s"),
        SecretUnavailableError("m", "s"),
        SecretDeniedError("m", "s"),
        SecretMalformedError("m", "s"),
        SecretNotFoundError.missing("A", "s", ["C", "B"]),
        BadProviderURLError("m", "s"),
    ],
)
@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_copy_and_pickle_whole(error: SecretError, through):
    error.add_note("n")
    twin = through(error)
    assert type(twin) is type(error)
    assert twin.__dict__ == error.__dict__
    assert (str(twin), twin.source, twin.args) == (str(error), "s", error.args)
