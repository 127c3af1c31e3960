"""What is deployed with the files of `deploy/` is this Nod: its settings, routes and limits."""

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs.book import ROOT
from docs.drawings import routes
from nod.actions import act as act_actions
from nod.actions import feed, setup
from nod.api.hooks import routes as hook_routes
from nod.config import Settings, load
from nod.domain.errors import InvalidInput
from nod.domain.limits import Limits
from nod.secrets import load_secret_key
from nod.version import __version__
from nod.web.live import _PING_S
from support.deployed import (
    DEPLOY,
    KUBERNETES,
    compose,
    environment,
    manifests,
    seconds,
    size,
    text,
    unit,
    without_comments,
)

FILES = sorted(each for each in DEPLOY.rglob("*") if each.is_file())
LIMITS = Limits()
# The keys of systemd.unit(5), .service(5), .exec(5), .kill(5) and .resource-control(5) that a unit
# of ours may have: systemd itself passes over one that is misspelt.
UNIT_KEYS = {
    "Unit": {"Description", "Documentation", "After", "Before", "Wants", "Requires"},
    "Service": {
        "CapabilityBoundingSet",
        "Environment",
        "EnvironmentFile",
        "ExecStart",
        "Group",
        "LimitNOFILE",
        "LockPersonality",
        "NoNewPrivileges",
        "PrivateDevices",
        "PrivateTmp",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHome",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "ProtectProc",
        "ProtectSystem",
        "RemoveIPC",
        "Restart",
        "RestartSec",
        "RestrictAddressFamilies",
        "RestrictNamespaces",
        "RestrictRealtime",
        "RestrictSUIDSGID",
        "StateDirectory",
        "StateDirectoryMode",
        "SystemCallArchitectures",
        "SystemCallErrorNumber",
        "SystemCallFilter",
        "TimeoutStopSec",
        "Type",
        "UMask",
        "User",
    },
    "Install": {"WantedBy"},
}


def service() -> dict[str, str]:
    return dict(unit("nod.service")["Service"])


def pod() -> dict[str, Any]:
    found: dict[str, Any] = manifests()["Deployment"]["spec"]["template"]["spec"]
    return found


def container() -> dict[str, Any]:
    (found,) = pod()["containers"]
    return dict(found)


def given_to_pods() -> dict[str, str]:
    return {each["name"]: each["value"] for each in container()["env"]}


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's, in order."""
    joined = re.sub(r"\\\n", " ", without_comments("Containerfile"))
    return [
        (word, rest.strip())
        for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines() if line)
    ]


# all of them


def test_every_setting_that_is_named_is_one_of_nods() -> None:
    known = {f"NOD_{each.name.upper()}" for each in fields(Settings) if each.name != "limits"}
    known |= {f"NOD_LIMIT_{each.name.upper()}" for each in fields(Limits)}
    named = {
        name
        for each in FILES
        for name in re.findall(r"\bNOD_[A-Z_]+\b", each.read_text(encoding="utf-8"))
    }
    assert {"NOD_PUBLIC_URL", "NOD_SECRET_KEY", "NOD_DATABASE_URL"} <= named
    assert named - known == set()


def test_every_file_is_in_the_documentation() -> None:
    page = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    lead = [each for each in FILES if each.parent != KUBERNETES]
    assert [each.name for each in lead if f"(../deploy/{each.name})" not in page] == []
    assert "deploy/kubernetes" in page


def test_images_are_of_this_version() -> None:
    images = [compose()["services"]["nod"]["image"], container()["image"]]
    assert [each.rpartition(":")[2] for each in images] == [__version__] * 2
    assert f"-t nod:{__version__} " in text("Containerfile")
    assert f"nod:{__version__}" in (ROOT / "docs/deploy.md").read_text(encoding="utf-8")


def test_nothing_is_ended_before_a_clean_stop_is_over() -> None:
    whole_s = LIMITS.drain_s + LIMITS.shutdown_s
    assert seconds(service()["TimeoutStopSec"]) > LIMITS.shutdown_s  # a file has one server
    assert seconds(compose()["services"]["nod"]["stop_grace_period"]) > whole_s
    drain_s = int(given_to_pods()["NOD_LIMIT_DRAIN_S"])
    assert pod()["terminationGracePeriodSeconds"] > drain_s + LIMITS.shutdown_s


def test_pods_go_on_until_they_are_known_to_take_no_more() -> None:
    probe = container()["readinessProbe"]
    noticed_s = probe["periodSeconds"] * probe["failureThreshold"]
    assert int(given_to_pods()["NOD_LIMIT_DRAIN_S"]) > noticed_s


def test_what_is_filled_in_as_an_example_can_be_used(tmp_path: Path) -> None:
    given = {key: value for key, value in environment("nod.env.example").items() if value}
    secret = {key: value for key, value in manifests()["Secret"]["stringData"].items() if value}
    shared = compose()["services"]["nod"]["environment"]
    for environ in (given | shared, secret | given_to_pods()):
        assert environ["NOD_DATABASE_URL"].startswith("postgresql://nod:PASSWORD@")
        read = load({"NOD_DATA_DIR": str(tmp_path), **environ}, {})
        assert read.public_url == "https://nod.example.org"


def test_pods_do_not_start_with_a_key_that_nobody_has_filled_in(tmp_path: Path) -> None:
    key = manifests()["Secret"]["stringData"]["NOD_SECRET_KEY"]
    with pytest.raises(InvalidInput, match="NOD_SECRET_KEY must have at least 32 characters"):
        load_secret_key(key, tmp_path)


# systemd


def test_the_unit_has_no_key_that_systemd_does_not_know() -> None:
    read = unit("nod.service")
    assert set(read) == set(UNIT_KEYS)
    for section, keys in read.items():
        assert {key for key, _ in keys} - UNIT_KEYS[section] == set()
        repeated = [key for key, _ in keys if key != "SystemCallFilter"]
        assert len(repeated) == len(set(repeated))


def test_the_unit_starts_nod_where_it_may_write() -> None:
    read = service()
    command, *arguments = shlex.split(read["ExecStart"])
    assert (Path(command).name, arguments) == ("nod", ["serve"])
    assert read["Environment"] == f"NOD_DATA_DIR=/var/lib/{read['StateDirectory']}"
    assert (read["User"], read["StateDirectoryMode"]) == ("nod", "0700")
    assert (read["ProtectSystem"], read["Restart"]) == ("strict", "on-failure")
    user = without_comments("nod.sysusers.conf").split()
    assert user[:2] == ["u", read["User"]]


# containers


def test_the_container_is_made_of_locked_packages_that_are_checked() -> None:
    runs = " && ".join(rest for word, rest in instructions() if word == "RUN")
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel) (.*?)(?: &&|$)", runs)
    assert len(installs) == 4
    assert [each for each in installs if not re.search("--require-hashes|--no-index", each)] == []
    for lock in re.findall(r"-r (\S+)", runs):
        pinned = (ROOT / lock).read_text(encoding="utf-8")
        assert re.search(r"^hatchling==|^uvicorn==", pinned, re.MULTILINE)
        assert pinned.count("--hash=sha256:") >= len(re.findall(r"^\S+==", pinned, re.MULTILINE))


def test_what_the_container_copies_is_there_and_not_left_out() -> None:
    copied = [
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    kept = re.findall(
        r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert copied
    assert [each for each in copied if not (ROOT / each).exists()] == []
    assert {each.split("/")[0] for each in copied} == set(kept)


def test_the_container_serves_without_root_from_its_volume() -> None:
    read = dict(instructions())
    uid = read["USER"].partition(":")[0]
    assert int(uid) > 0
    assert f"--uid {uid} " in " ".join(rest for word, rest in instructions() if word == "RUN")
    assert [yaml.safe_load(read[word]) for word in ("ENTRYPOINT", "CMD")] == [["nod"], ["serve"]]
    given = dict(pair.split("=", 1) for pair in read["ENV"].split())
    settings = load({key: value for key, value in given.items() if key.startswith("NOD_")}, {})
    assert (settings.host, str(settings.port)) == ("0.0.0.0", read["EXPOSE"])  # noqa: S104
    assert str(settings.data_dir) == read["VOLUME"]


def test_compose_brings_up_nod_after_its_database_and_lets_only_this_machine_in() -> None:
    read = compose()
    nod, postgres = read["services"]["nod"], read["services"]["postgres"]
    assert nod["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert [each.rsplit(":", 1)[0] for each in nod["ports"]] == ["127.0.0.1:8000"]
    assert {each.split(":")[0] for each in read["volumes"]} >= {"nod", "nod-2", "postgres"}
    assert (ROOT / "deploy" / nod["build"]["context"]).resolve() == ROOT
    assert (DEPLOY / nod["build"]["context"] / nod["build"]["dockerfile"]).is_file()
    for each in (nod, postgres):
        assert (DEPLOY / f"{each['env_file']}.example").is_file()
        volume, path = each["volumes"][0].split(":")
        assert volume in read["volumes"]
        assert path.startswith("/")
    database = environment("postgres.env.example")
    url = environment("nod.env.example")["NOD_DATABASE_URL"]
    assert (
        url
        == f"postgresql://{database['POSTGRES_USER']}:PASSWORD@postgres/{database['POSTGRES_DB']}"
    )


def test_compose_has_two_nods_that_differ_in_nothing_but_where_they_are() -> None:
    services = compose()["services"]
    one, other = services["nod"], services["nod-2"]
    assert {name for name in one if one[name] != other[name]} == {"ports", "volumes"}
    assert [each.rsplit(":", 1)[0] for each in other["ports"]] == ["127.0.0.1:8001"]
    assert one["volumes"] != other["volumes"]
    assert one["environment"]["NOD_BUS_URL"] == "nats://nats"
    assert "nats" in services
    assert "ports" not in services["nats"]  # nobody but the two can reach it


def test_compose_believes_the_proxy_on_this_machine() -> None:
    (network,) = compose()["networks"]["default"]["ipam"]["config"]
    machine = environment("nod.env.example")["FORWARDED_ALLOW_IPS"]
    assert network["subnet"] == f"{machine.rpartition('.')[0]}.0/24"
    assert machine.endswith(".1")


# Kubernetes


def test_probes_ask_routes_that_there_are_on_the_port_that_is_served(tmp_path: Path) -> None:
    asked = {
        name: container()[name]["httpGet"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    known = {path for method, path, _ in routes() if method == "GET"}
    assert {each["path"] for each in asked.values()} <= known
    assert asked["livenessProbe"]["path"] == "/healthz"
    assert asked["readinessProbe"]["path"] == "/readyz"
    (port,) = container()["ports"]
    assert {each["port"] for each in asked.values()} == {port["name"]}
    assert port["containerPort"] == load({"NOD_DATA_DIR": str(tmp_path)}, {}).port
    (forwarded,) = manifests()["Service"]["spec"]["ports"]
    assert forwarded["targetPort"] == port["name"]


def test_the_objects_are_about_the_same_pods() -> None:
    read = manifests()
    labels = read["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert read["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert read["Service"]["spec"]["selector"] == labels
    assert read["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    least = read["PodDisruptionBudget"]["spec"]["minAvailable"]
    assert least < read["Deployment"]["spec"]["replicas"]
    (source,) = container()["envFrom"]
    assert source["secretRef"]["name"] == read["Secret"]["metadata"]["name"]
    assert pod()["enableServiceLinks"] is False
    assert not list(KUBERNETES.glob("*secret*.yaml"))  # the example is not applied by accident


def test_pods_may_write_only_to_their_volumes() -> None:
    assert pod()["securityContext"]["runAsNonRoot"] is True
    user = dict(instructions())["USER"].partition(":")[0]
    assert pod()["securityContext"]["runAsUser"] == int(user)
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert container()["securityContext"]["allowPrivilegeEscalation"] is False
    mounts = {each["name"] for each in container()["volumeMounts"]}
    assert mounts == {each["name"] for each in pod()["volumes"]}


# proxies


def nginx() -> dict[str, str]:
    """The last value of each directive."""
    lines = re.findall(r"^\s*(\w+)\s+(.*?);$", without_comments("nginx.conf"), re.MULTILINE)
    headers = {f"{name} {rest.split()[0]}": rest.split()[-1] for name, rest in lines if " " in rest}
    return dict(lines) | headers


def test_the_braces_of_the_proxies_settings_are_closed() -> None:
    for name in ("nginx.conf", "Caddyfile"):
        depth = 0
        for sign in re.findall(r"[{}]", without_comments(name)):
            depth += 1 if sign == "{" else -1
            assert depth >= 0
        assert depth == 0


def test_bodies_that_nod_takes_get_through_the_proxies() -> None:
    most = max(LIMITS.body_bytes, LIMITS.event_body_bytes, LIMITS.upload_bytes)
    around = 64 * 1024  # the names and boundaries of a form
    caddy = re.search(r"max_size (\S+)", without_comments("Caddyfile"))
    assert caddy is not None
    assert size(caddy[1]) >= most + around
    assert size(nginx()["client_max_body_size"]) >= most + around


def test_nginx_passes_sockets_streams_and_waiting_calls_on() -> None:
    read = nginx()
    assert read["proxy_http_version"] == "1.1"
    assert read["proxy_set_header Upgrade"] == "$http_upgrade"
    assert read["proxy_set_header Connection"] == "$connection_upgrade"
    assert read["proxy_set_header Host"] == "$host"
    assert read["proxy_set_header X-Forwarded-For"] == "$remote_addr"
    assert read["proxy_buffering"] == "off"
    quiet_s = max(LIMITS.long_poll_s, _PING_S, LIMITS.socket_keep_alive_s)
    assert seconds(read["proxy_read_timeout"]) > quiet_s


def test_the_proxies_lead_to_where_nod_listens_and_log_no_secret_address() -> None:
    port = load({}, {}).port
    assert f"reverse_proxy 127.0.0.1:{port} " in text("Caddyfile")
    assert nginx()["server"] == f"127.0.0.1:{port}"
    found = re.search(r"location ~ (\S+) {\s*access_log off;", without_comments("nginx.conf"))
    assert found is not None
    hooks = [path for each in hook_routes for path in each.paths]
    secret = [*hooks, feed.PATH + "x", setup.PATH + "x", act_actions.PATH + "x"]
    assert len(secret) >= 4
    assert [each for each in secret if not re.match(found[1], each)] == []
    assert not re.match(found[1], "/api/agent/tasks")
