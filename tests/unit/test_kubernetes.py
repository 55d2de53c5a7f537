"""deploy/kubernetes: valid against Kubernetes' own schemas, whole, and open nowhere that is not named."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from guardtier.settings import Settings
from guardtier.store.keys import ANALYZERS, Keys
from kedaschema import ScaledObject, TriggerAuthentication
from manifests import KUBERNETES, documents, of_kind, selected, workloads

VERSION = "1.32"
KEDA = {"ScaledObject": ScaledObject, "TriggerAuthentication": TriggerAuthentication}
OBJECTS = documents()
OUR_NAMES = {file.name for file, _ in OBJECTS}
PODS = [(one["metadata"]["name"], one["spec"]["template"]) for one in workloads()]

each_pod = pytest.mark.parametrize(("name", "template"), PODS, ids=[name for name, _ in PODS])


@pytest.mark.parametrize(
    "document", [one for _, one in OBJECTS], ids=lambda one: f"{one['kind']} {one['metadata']['name']}"
)
def test_every_object_is_valid(document: dict[str, Any]) -> None:
    if document["kind"] in KEDA:
        KEDA[document["kind"]].model_validate(document)
        return
    import kubernetes_validate  # here: it takes seconds, in each process that collects tests

    kubernetes_validate.validate(document, VERSION, strict=True)


def test_an_object_that_is_wrong_is_noticed() -> None:
    import kubernetes_validate

    wrong = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}, "automount": False}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize(
    "folder", [file.parent for file in KUBERNETES.rglob("kustomization.yaml")], ids=str
)
def test_a_kustomization_names_every_file_beside_it(folder: Path) -> None:
    told = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    generated = [name for one in told.get("configMapGenerator", ()) for name in one["files"]]
    beside = {file.name for file in folder.iterdir()} - {"kustomization.yaml", "scaler.acl"}

    assert {*told["resources"], *generated} == beside


def test_no_object_is_there_twice() -> None:
    names = Counter((one["kind"], one["metadata"]["name"]) for _, one in OBJECTS)

    assert [name for name, count in names.items() if count > 1] == []


@each_pod
def test_a_pod_may_nothing_that_it_does_not_need(name: str, template: dict[str, Any]) -> None:
    pod = template["spec"]

    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False  # else GUARDTIER_…_PORT variables look like settings
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for one in pod["containers"]:
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


@each_pod
def test_a_pod_is_probed_and_limited(name: str, template: dict[str, Any]) -> None:
    for one in template["spec"]["containers"]:
        ports = {port["name"] for port in one["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = one[probe].get("httpGet") or one[probe].get("tcpSocket")
            assert asked is None or asked["port"] in ports
        for bound in ("requests", "limits"):
            assert one["resources"][bound].keys() == {"cpu", "memory"}


@each_pod
def test_redis_being_away_restarts_nobody(name: str, template: dict[str, Any]) -> None:
    """/healthz and /readyz say that Redis is away; a restart would mend nothing and be backed off."""
    for one in template["spec"]["containers"]:
        path = one["livenessProbe"].get("httpGet", {}).get("path")
        assert path in ({"console": "/healthz"}.get(one["name"], "/livez"), None)


@each_pod
def test_what_a_pod_refers_to_is_there(name: str, template: dict[str, Any]) -> None:
    pod = template["spec"]
    own = {volume["name"] for volume in pod["volumes"]}
    claims = {claim["metadata"]["name"] for one in of_kind("StatefulSet") for claim in claims_of(one)}

    assert pod["serviceAccountName"] in {one["metadata"]["name"] for one in of_kind("ServiceAccount")}
    for one in pod["containers"]:
        assert {mount["name"] for mount in one["volumeMounts"]} <= own | claims
    for volume in pod["volumes"]:
        if "persistentVolumeClaim" in volume:
            named = volume["persistentVolumeClaim"]["claimName"]
            assert named in {one["metadata"]["name"] for one in of_kind("PersistentVolumeClaim")}
        if "configMap" in volume:
            assert volume["configMap"]["name"] in {"guardtier-settings", "guardtier-redis-conf"}


def claims_of(workload: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workload["spec"].get("volumeClaimTemplates", [])
    return found


def test_every_secret_is_named_where_the_kustomization_lists_them() -> None:
    head = "\n".join(file.read_text(encoding="utf-8") for file in KUBERNETES.rglob("kustomization.yaml"))
    text = "\n".join(file.read_text(encoding="utf-8") for file in {file for file, _ in OBJECTS})
    used = yaml_values(text, "secretName") | secret_keys()

    for secret in used:
        last = secret.removeprefix("guardtier-redis")
        assert secret in head or (last and last in head), secret


def yaml_values(text: str, key: str) -> set[str]:
    return {line.split(":")[1].strip() for line in text.splitlines() if line.strip().startswith(f"{key}:")}


def secret_keys() -> set[str]:
    return {
        item["valueFrom"]["secretKeyRef"]["name"]
        for _, template in PODS
        for one in template["spec"]["containers"]
        for item in one.get("env", ())
        if "valueFrom" in item
    }


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "Service", "NetworkPolicy"])
def test_selectors_select(kind: str) -> None:
    for one in of_kind(kind):
        spec = one["spec"]
        selector = spec["podSelector"] if kind == "NetworkPolicy" else spec["selector"]
        labels = selector.get("matchLabels", selector if kind == "Service" else {})
        assert any(selected(labels, template["metadata"]["labels"]) for _, template in PODS), one[
            "metadata"
        ]


def test_every_deployment_has_its_budget() -> None:
    budgets = {one["metadata"]["name"] for one in of_kind("PodDisruptionBudget")}

    assert {one["metadata"]["name"] for one in of_kind("Deployment")} <= budgets


def test_nothing_is_open_that_is_not_named() -> None:
    (closed,) = (one for one in of_kind("NetworkPolicy") if one["metadata"]["name"] == "guardtier-nothing")
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for one in of_kind("NetworkPolicy"):
        for rule in one["spec"].get("ingress", []) + one["spec"].get("egress", []):
            assert rule.get("ports"), one["metadata"]
            for peer in rule.get("from", []) + rule.get("to", []):
                block = peer.get("ipBlock", {})
                assert block.get("cidr") != "0.0.0.0/0" or "169.254.0.0/16" in block["except"]


def test_scaling_asks_for_the_lag_of_a_stream_that_is_there() -> None:
    (scaled,) = map(ScaledObject.model_validate, of_kind("ScaledObject"))

    assert scaled.spec.scale_target_ref.name in {one["metadata"]["name"] for one in of_kind("Deployment")}
    by_lag, by_length = (trigger.metadata for trigger in scaled.spec.triggers)
    assert by_lag["stream"] == by_length["stream"] == Keys(0).actions("default")
    assert by_lag["consumerGroup"] == ANALYZERS
    # In a flood Redis knows no lag: the length must ask for more than the fewest, before the queue's limit.
    most = Settings.model_fields["max_queue"].default
    assert most / int(by_length["streamLength"]) > scaled.spec.min_replica_count
    assert scaled.spec.min_replica_count >= 1
    (signs_in,) = of_kind("TriggerAuthentication")
    assert {trigger.authentication_ref.name for trigger in scaled.spec.triggers} == {
        signs_in["metadata"]["name"]
    }
