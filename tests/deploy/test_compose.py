"""docker-compose.temporal.yml, as far as it can be checked without an engine."""

import re
import subprocess
from typing import Any

import pytest

from orchestrator.contracts import names
from tests.deploy.files import DEPLOY, KEYS, OF_VENDORS, ROOT, services, yaml_of
from workers.build import GRACE

JOBS = {"schema", "namespace"}
WORKERS = {"workflow-worker": "workflows", "model-worker": "models", "tool-worker": "tools"}
WATCHERS = {"collector", "jaeger", "prometheus", "grafana"}
SERVERS = {"postgres", "temporal", "ui", "codec", *WATCHERS}
UNCHECKED = {"collector"}  # its image holds nothing that could check it; Prometheus does
SECRETS = ("PASSWORD", "PWD", "KEY", "TOKEN", "SECRET")


@pytest.fixture(scope="module", name="compose")
def _compose() -> dict[str, Any]:
    return services()


def test_all_parts_are_there(compose: dict[str, Any]) -> None:
    assert compose.keys() == JOBS | SERVERS | WORKERS.keys()


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    images = [service["image"] for name, service in compose.items() if name not in (*WORKERS, "codec")]
    assert all(re.search(r":v?\d+\.\d+", image) for image in images)
    assert not any("auto-setup" in image for image in images)


def test_servers_are_checked_and_reachable_from_this_machine_only(compose: dict[str, Any]) -> None:
    assert {name for name in SERVERS if "healthcheck" not in compose[name]} == UNCHECKED
    ports = [port for service in compose.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_each_part_waits_for_what_it_needs(compose: dict[str, Any]) -> None:
    for service in compose.values():
        for needed, wish in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in JOBS else "service_healthy"
            assert wish["condition"] == expected


def test_each_worker_serves_one_kind_of_queue(compose: dict[str, Any]) -> None:
    for name, queues in WORKERS.items():
        assert compose[name]["command"] == ["worker", "run", "--queues", queues]


def test_the_web_ui_is_who_the_codec_server_expects(compose: dict[str, Any]) -> None:
    codec, ui = compose["codec"], compose["ui"]
    port = ui["ports"][0].removeprefix("127.0.0.1:").rpartition(":")[0]
    origins = {argument.partition("=")[2] for argument in codec["command"] if argument.startswith("--ui-origin")}
    assert origins == {f"http://127.0.0.1:{port}", f"http://localhost:{port}"}
    assert codec["profiles"], "it is of no use without encryption"


def test_secrets_come_from_the_environment(compose: dict[str, Any]) -> None:
    values = {
        name: value
        for service in compose.values()
        for name, value in service.get("environment", {}).items()
        if any(word in name.split("_") for word in SECRETS)
    }
    assert values
    assert all(value is None or (value.startswith("${") and ":?" in value) for value in values.values())
    assert not any("env_file" in service for service in compose.values())


def test_only_model_workers_get_the_vendors_keys(compose: dict[str, Any]) -> None:
    given = {name: set(service.get("environment", {})) & OF_VENDORS for name, service in compose.items()}
    assert given.pop("model-worker") == OF_VENDORS
    assert not any(given.values())


def test_only_tool_workers_may_make_sandboxes(compose: dict[str, Any]) -> None:
    for name in WORKERS:
        worker = compose[name]
        options = set(worker["security_opt"])
        assert worker["cap_drop"] == ["ALL"]
        assert worker["read_only"] is True
        assert "no-new-privileges:true" in options
        assert (len(options) > 1) == (name == "tool-worker")
    assert not any(service.get("privileged") or service.get("cap_add") for service in compose.values())


def test_workers_may_finish_the_longest_call(compose: dict[str, Any]) -> None:
    for name in WORKERS:
        minutes = re.fullmatch(r"(\d+)m", compose[name]["stop_grace_period"])
        assert minutes
        assert int(minutes[1]) * 60 > GRACE.total_seconds()


def test_only_the_server_and_its_jobs_reach_the_database(compose: dict[str, Any]) -> None:
    reach = {name for name, service in compose.items() if "database" in service["networks"]}
    assert reach == {"postgres", "schema", "temporal"}


def test_all_search_attributes_are_registered(compose: dict[str, Any]) -> None:
    pairs = set(re.findall(r"\b(Orch\w+)=(\w+)", compose["namespace"]["command"][0]))
    expected = {(name, "Keyword") for name in names.SEARCH_KEYWORDS}
    expected |= {(name, "Double") for name in names.SEARCH_DOUBLES}
    expected |= {(name, "Int") for name in names.SEARCH_INTS}
    assert pairs == expected


def test_the_scripts_of_the_jobs_parse(compose: dict[str, Any]) -> None:
    for job in JOBS:
        script = compose[job]["command"][0].replace("$$", "$")
        subprocess.run(["sh", "-n", "-c", script], check=True)


def test_workers_can_write_where_they_must(compose: dict[str, Any]) -> None:
    for name in WORKERS:
        writable = [mount.split(":") for mount in compose[name]["tmpfs"]]
        assert {mount[0] for mount in writable} == {"/tmp", "/home/orch", "/var/lib/orch"}
        assert all("uid=10001" in mount[1] for mount in writable if mount[0] != "/tmp")
        assert any(volume == "artifacts:/var/lib/orch/artifacts" for volume in compose[name]["volumes"])


def test_installers_fill_a_disk_and_not_the_memory(compose: dict[str, Any]) -> None:
    worker = compose["tool-worker"]
    assert f"tools:{worker['environment']['HOME']}" in worker["volumes"]


def test_what_is_mounted_from_here_is_here(compose: dict[str, Any]) -> None:
    mounts = [volume for service in compose.values() for volume in service.get("volumes", ())]
    sources = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert sources
    assert all((ROOT / source).exists() for source in sources)
    assert all(mount.endswith(":ro") for mount in mounts if mount.startswith("./"))


def test_prometheus_reads_every_worker_twice(compose: dict[str, Any]) -> None:
    jobs = {job["job_name"]: job for job in yaml_of(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]}
    for job, port in {"orch-worker": 8080, "orch-worker-sdk": 9464}.items():
        (found,) = jobs[job]["dns_sd_configs"]
        assert set(found["names"]) == WORKERS.keys()
        assert found["port"] == port
    hosts = {
        target.split(":")[0] for job in jobs.values() for c in job.get("static_configs", ()) for target in c["targets"]
    }
    assert hosts <= compose.keys() | {"localhost"}


def test_the_collector_sends_on_what_it_receives(compose: dict[str, Any]) -> None:
    collector = yaml_of(DEPLOY / "collector" / "collector.yaml")
    used: dict[str, set[str]] = {kind: set() for kind in ("receivers", "processors", "exporters")}
    for pipeline in collector["service"]["pipelines"].values():
        for kind, names_used in used.items():
            names_used |= set(pipeline[kind])
    assert {kind: set(collector[kind]) for kind in used} == used
    assert set(collector["service"]["extensions"]) == set(collector["extensions"])
    assert collector["exporters"]["otlphttp"]["endpoint"].split("/")[2].split(":")[0] in compose
    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].split(":")[-1]
    for worker in WORKERS:
        assert compose[worker]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://collector:{port}"


def test_the_guide_registers_the_same_search_attributes() -> None:
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    pairs = set(re.findall(r"--name (Orch\w+) --type (\w+)", guide))
    assert {name for name, _ in pairs} == {*names.SEARCH_KEYWORDS, *names.SEARCH_DOUBLES, *names.SEARCH_INTS}


def test_no_key_of_a_vendor_stands_in_any_file() -> None:
    for path in (p for p in DEPLOY.rglob("*") if p.is_file()):
        text = path.read_text(encoding="utf-8")
        assert not any(re.search(rf"{key}\s*[:=]\s*(?!\.\.\.)[^\s,]", text) for key in KEYS), path


def test_links_of_the_guide_lead_somewhere() -> None:
    guide = DEPLOY / "README.md"
    for target, _, anchor in re.findall(r"\]\(([^)#]+)(#([^)]+))?\)", guide.read_text(encoding="utf-8")):
        page = (DEPLOY / target).resolve()
        assert page.exists(), target
        headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}, anchor
