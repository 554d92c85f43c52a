"""The chart, by what it rendered to last: no Helm is needed to check that."""

from typing import Any

import pytest

from orchestrator.contracts import names
from orchestrator.contracts.project import Timeouts
from tests.deploy.files import CHART, OF_VENDORS, RENDERED, ROLES, ROOT, yaml_of
from tests.deploy.rendering import header, kept
from workers.build import GRACE

VENDORS = ("openai", "anthropic")  # those of ci/full-values.yaml
# Variables of Temporal's and OpenTelemetry's SDKs and of installers; all others are ours and stand in our code.
OF_OTHERS = ("TEMPORAL_", "OTEL_", "HOME")


@pytest.fixture(scope="module", name="objects")
def _objects() -> dict[tuple[str, str], dict[str, Any]]:
    return {(found["kind"], found["metadata"]["name"]): found for found in kept()}


def pod(objects: dict[tuple[str, str], dict[str, Any]], role: str) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment", f"orch-{role}"]["spec"]["template"]["spec"]
    return found


def container(objects: dict[tuple[str, str], dict[str, Any]], role: str) -> dict[str, Any]:
    (found,) = pod(objects, role)["containers"]
    return dict(found)


def test_it_was_rendered_from_this_chart() -> None:
    assert RENDERED.read_text(encoding="utf-8").startswith(header()), "run `python -m tests.deploy.rendering`"


def test_each_role_has_all_that_belongs_to_it(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    kinds = ("Deployment", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy", "ScaledObject")
    assert {(kind, f"orch-{role}") for kind in kinds for role in ROLES} <= objects.keys()


@pytest.mark.parametrize("role", ROLES)
def test_a_worker_serves_its_queue_and_is_probed(objects: dict[tuple[str, str], dict[str, Any]], role: str) -> None:
    worker = container(objects, role)
    queues = ",".join(f"models:{vendor}" for vendor in VENDORS) if role == "models" else role
    assert worker["args"][:4] == ["worker", "run", "--queues", queues]
    assert (
        worker["livenessProbe"]["httpGet"] == worker["startupProbe"]["httpGet"] == {"path": "/livez", "port": "health"}
    )
    assert worker["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    ports = {port["name"]: port["containerPort"] for port in worker["ports"]}
    variables = {variable["name"]: variable.get("value") for variable in worker["env"]}
    assert variables["ORCH_HEALTH_ADDRESS"] == f"0.0.0.0:{ports['health']}"
    assert variables["ORCH_METRICS_ADDRESS"] == f"0.0.0.0:{ports['metrics']}"
    assert {"cpu", "memory"} <= worker["resources"]["requests"].keys()
    assert "memory" in worker["resources"]["limits"]


@pytest.mark.parametrize("role", ROLES)
def test_a_worker_may_finish_the_longest_call(objects: dict[tuple[str, str], dict[str, Any]], role: str) -> None:
    longest = max(Timeouts().call_s, Timeouts().tool_s, GRACE.total_seconds())
    assert pod(objects, role)["terminationGracePeriodSeconds"] > longest
    schema = yaml_of(CHART / "values.schema.json")["properties"]["terminationGracePeriodSeconds"]
    assert schema["minimum"] > longest


@pytest.mark.parametrize("role", ROLES)
def test_a_worker_has_no_more_rights_than_it_needs(objects: dict[tuple[str, str], dict[str, Any]], role: str) -> None:
    spec, security = pod(objects, role), container(objects, role)["securityContext"]
    assert spec["automountServiceAccountToken"] is False
    assert objects["ServiceAccount", f"orch-{role}"]["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert "privileged" not in security
    if role == "tools":
        # Kubernetes allows an unmasked /proc only in a user namespace of the pod's own.
        assert (spec["hostUsers"], security["procMount"]) == (False, "Unmasked")
    else:
        assert "procMount" not in security
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_keys_are_where_they_are_needed(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    secrets = {role: {s["secretRef"]["name"] for s in container(objects, role)["envFrom"]} for role in ROLES}
    assert secrets == {"workflows": {"s", "e"}, "models": {"s", "e", "v"}, "tools": {"s", "e", "d"}}
    for role in ROLES:
        assert not {variable["name"] for variable in container(objects, role)["env"]} & OF_VENDORS


@pytest.mark.parametrize("role", ROLES)
def test_variables_are_understood(objects: dict[tuple[str, str], dict[str, Any]], role: str) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "orchestrator" / "settings").rglob("*.py"))
    for variable in container(objects, role)["env"]:
        assert variable["name"].startswith(OF_OTHERS) or f'"{variable["name"]}"' in code


def test_the_codec_server_has_keys_and_token_and_only_the_ingress_reaches_it(
    objects: dict[tuple[str, str], dict[str, Any]],
) -> None:
    codec = container(objects, "codec")
    assert {secret["secretRef"]["name"] for secret in codec["envFrom"]} == {"s", "e"}
    assert "ORCH_CODEC_TOKEN" in {variable["name"] for variable in codec["env"]}
    assert codec["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "codec", "scheme": "HTTPS"}
    assert codec["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod(objects, "codec")["automountServiceAccountToken"] is False
    (rule,) = objects["NetworkPolicy", "orch-codec"]["spec"]["ingress"]
    assert rule["from"]


@pytest.mark.parametrize("role", ROLES)
def test_a_worker_can_write_where_it_must(objects: dict[tuple[str, str], dict[str, Any]], role: str) -> None:
    mounts = {mount["mountPath"] for mount in container(objects, role)["volumeMounts"]}
    assert {"/tmp", "/home/orch", "/var/lib/orch"} <= mounts
    assert ("/var/cache/orch" in mounts) == (role == "tools")
    home = {variable["name"]: variable.get("value") for variable in container(objects, role)["env"]}.get("HOME")
    assert home == ("/var/cache/orch" if role == "tools" else None), "installers fill their home"


@pytest.mark.parametrize("role", ROLES)
def test_scaling_follows_the_queues_that_the_worker_serves(
    objects: dict[tuple[str, str], dict[str, Any]], role: str
) -> None:
    scaled = objects["ScaledObject", f"orch-{role}"]["spec"]
    queues = {
        "workflows": {names.QUEUE_WORKFLOWS},
        "tools": {names.QUEUE_TOOLS},
        "models": {names.vendor_queue(vendor) for vendor in VENDORS},
    }
    triggers = [trigger["metadata"] for trigger in scaled["triggers"]]
    assert {trigger["taskQueue"] for trigger in triggers} == queues[role]
    assert {trigger["queueTypes"] for trigger in triggers} == {"workflow" if role == "workflows" else "activity"}
    assert {trigger["workerDeploymentName"] for trigger in triggers} == {names.DEPLOYMENT}
    assert scaled["minReplicaCount"] >= 1, "a vendor is usable while its queue is polled"
    assert "replicas" not in objects["Deployment", f"orch-{role}"]["spec"], "two would decide the number"


@pytest.mark.parametrize("role", ROLES)
def test_the_network_is_closed_but_for_what_is_named(objects: dict[tuple[str, str], dict[str, Any]], role: str) -> None:
    policy = objects["NetworkPolicy", f"orch-{role}"]["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == role
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    assert ports == {53, 7233, 4318, 443} | ({11434} if role == "models" else set())
    (https,) = [rule["to"][0]["ipBlock"] for rule in policy["egress"] if "ipBlock" in rule.get("to", [{}])[0]]
    assert "169.254.0.0/16" in https["except"]
    assert all(rule["from"] for rule in policy["ingress"])
