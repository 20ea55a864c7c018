"""The dashboard and the alert rules ask for metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from ethora_async.telemetry import INSTRUMENTS

FOLDER = Path(__file__).parents[2] / "examples" / "observability"
_NAME = re.compile(r"\b(?:ethora|http_client)_[a-z_]+")
_LABELS = {label.replace(".", "_") for one in INSTRUMENTS for label in one.labels}


def metric_names() -> set[str]:
    found = set[str]()
    for one in INSTRUMENTS:
        ends = ("_bucket", "_count", "_sum") if one.kind == "histogram" else ("",)
        found |= {one.prometheus_name + end for end in ends}
    return found


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def expressions() -> list[str]:
    board: Any = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return shown + [rule["expr"] for rule in rules()]


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_is_promql(expression: str) -> None:
    promql_parser.parse(re.sub(r"\$\{?__\w+\}?", "5m", expression))


def test_what_is_no_promql_is_found() -> None:
    with pytest.raises(ValueError, match=r"unclosed|unexpected|parenthesis"):
        promql_parser.parse("sum(rate(ethora_tokens_total[5m])")


def test_every_rule_says_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0m")), rule
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_every_metric_and_label_that_is_asked_for_exists() -> None:
    asked = {name for text in expressions() for name in _NAME.findall(text)}
    assert len(expressions()) > 20
    assert asked - metric_names() - _LABELS == set()
    # What the issue of being on call is about is on the board.
    for name in ("waiting", "oldest_seconds", "dead", "drift"):
        assert f"ethora_outbox_{name}" in asked


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    board: Any = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    assert board["schemaVersion"] >= 36
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]}
    assert len(places) == len(board["panels"])
    variables = {one["name"] for one in board["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"]))) - {"__rate_interval"} <= variables


@pytest.mark.parametrize("command", [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")])
def test_promtool_accepts_the_rules(command: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run([promtool, *command], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
