"""What watches Nod asks for what a running Nod really says."""

import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
import yaml

from docs.book import ROOT
from support.deployed import alerts, compose, dashboard, queries, without_comments
from support.server import RunningServer

# PromQL's own words, which stand where a metric's name could.
_WORDS = {"by", "le", "sum", "max", "rate", "increase", "histogram_quantile", "up", "for"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("nod")).start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def told(server: RunningServer) -> set[str]:
    """The names of all samples that /metrics has or may have."""
    text = httpx.get(f"{server.url}/metrics").text
    found: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        found |= {name + end for end in ends}
    return found


def metrics_in(query: str) -> set[str]:
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)", "", query)
    return set(re.findall(r"[a-z_]{2,}", bare)) - _WORDS


def test_every_metric_that_is_asked_for_is_told(told: set[str]) -> None:
    asked = {name for query in queries() for name in metrics_in(query)}
    assert len(asked) > 8
    assert asked - told == set()


def test_what_the_operator_wants_to_know_is_on_the_dashboard_and_in_the_alerts() -> None:
    wanted = {
        "nod_fire_lag_seconds_bucket",
        "nod_skips_total",
        "nod_undelivered_age_seconds",
        "nod_deliveries_total",
        "nod_waiting_decisions",
    }
    for asked in (
        [rule["expr"] for rule in alerts()],
        [each["expr"] for panel in dashboard()["panels"] for each in panel["targets"]],
    ):
        assert wanted - {name for query in asked for name in metrics_in(query)} == set()


def test_every_label_that_is_asked_for_is_one_of_its_metric() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(nod_\w+)` \| \w+ \| (.*?) \|", page, re.MULTILINE)
    labels = {name: set(re.findall(r"`(\w+)`", given)) for name, given in rows}
    of_prometheus = {"job", "instance", "le"}
    for query in queries():
        known = set().union(
            *(labels.get(re.sub("_bucket$", "", name), set()) for name in metrics_in(query))
        )
        asked = set(re.findall(r"(\w+)=", query))
        asked |= {each for by in re.findall(r"by \(([^)]*)\)", query) for each in by.split(", ")}
        assert asked - known - of_prometheus == set(), query


def test_queries_are_closed_and_about_the_job_of_nod() -> None:
    for query in queries():
        for pair in ("()", "{}", "[]"):
            assert query.count(pair[0]) == query.count(pair[1]), query
        assert query.count("{") == query.count('{job="nod"') > 0, query


def test_every_alert_says_what_is_wrong_and_what_to_do_and_is_documented() -> None:
    page = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    assert [name for name in names if f"| `{name}` |" not in page] == []
    assert [
        each for each in re.findall(r"^\| `(Nod\w+)`", page, re.MULTILINE) if each not in names
    ] == []
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "what_to_do"}
        shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        assert shown <= {"instance", *re.findall(r"by \((\w+)\)", rule["expr"])}


def test_the_panels_of_the_dashboard_have_ids_of_their_own_and_a_place() -> None:
    panels = dashboard()["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    places = [(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels]
    assert len(set(places)) == len(places)
    assert [each for each in panels if each["gridPos"]["x"] + each["gridPos"]["w"] > 24] == []
    (source,) = dashboard()["templating"]["list"]
    assert {each["datasource"]["uid"] for each in panels} == {f"${{{source['name']}}}"}


def _health_checks() -> list[list[str]]:
    (line,) = [
        each
        for each in re.sub(r"\\\n", " ", without_comments("Containerfile")).splitlines()
        if each.startswith("HEALTHCHECK")
    ]
    image: list[str] = yaml.safe_load(line.partition(" CMD ")[2])
    form, *composed = compose()["services"]["nod"]["healthcheck"]["test"]
    assert form == "CMD"
    return [image, composed]


def healthy(check: list[str], port: int) -> bool:
    assert check[0] == "python"
    ended = subprocess.run(
        [sys.executable, *check[1:]], env={"NOD_PORT": str(port)}, capture_output=True, timeout=30
    )
    return ended.returncode == 0


@pytest.mark.parametrize("check", _health_checks(), ids=["image", "compose"])
def test_the_health_check_knows_a_server_that_is_well_from_one_that_is_not(
    server: RunningServer, check: list[str]
) -> None:
    assert healthy(check, server.port)
    assert not healthy(check, 1)
