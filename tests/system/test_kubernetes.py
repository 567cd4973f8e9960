# SPDX-License-Identifier: MIT
"""contrib/kubernetes.yaml against Kubernetes' schemas, the image and the program."""
import copy
import re
import subprocess
import sys

import pytest
import yaml

import conftest
import servers

NEEDED = ["Deployment", "PodDisruptionBudget", "Secret", "Service"]
# Exits with 1 where a document of its standard input is not as the schemas of the newest release want it.
VALIDATE = """
import sys, yaml, kubernetes_validate
for document in yaml.safe_load_all(sys.stdin):
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
"""


@pytest.fixture(scope="module")
def manifest():
    documents = list(yaml.safe_load_all((servers.ROOT / "contrib" / "kubernetes.yaml").read_text()))
    return {document["kind"]: document for document in documents}


@pytest.fixture(scope="module")
def validate(tmp_path_factory):
    path = tmp_path_factory.mktemp("kubernetes-validate")
    conftest.install("kubernetes-validate", path)

    def run(*documents):
        return subprocess.run([sys.executable, "-c", VALIDATE], input=yaml.safe_dump_all(documents), env={"PYTHONPATH": str(path)},
                              capture_output=True, text=True)

    return run


def container_of(manifest):
    return manifest["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def test_the_manifest_is_as_the_schemas_want_it(manifest, validate):
    assert sorted(manifest) == NEEDED
    result = validate(*manifest.values())
    assert result.returncode == 0, result.stderr[-2000:]


def test_a_slip_in_the_manifest_is_seen(manifest, validate):
    wrong = copy.deepcopy(manifest)
    container_of(wrong)["readinessProb"] = container_of(wrong).pop("readinessProbe")
    result = validate(*wrong.values())
    assert result.returncode == 1 and "readinessProb" in result.stderr, result.stderr


def test_what_selects_pods_selects_those_of_the_deployment(manifest):
    labels = manifest["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert manifest["Service"]["spec"]["selector"] == labels
    assert [manifest[kind]["spec"]["selector"]["matchLabels"] for kind in ("Deployment", "PodDisruptionBudget")] == [labels] * 2
    assert manifest["PodDisruptionBudget"]["spec"]["minAvailable"] < manifest["Deployment"]["spec"]["replicas"]


def test_the_manifest_agrees_with_the_image_and_the_program(manifest):
    image = (servers.ROOT / "Dockerfile").read_text()
    container, pod = container_of(manifest), manifest["Deployment"]["spec"]["template"]["spec"]
    assert "EXPOSE %d" % container["ports"][0]["containerPort"] in image
    assert "USER %(runAsUser)d:%(runAsGroup)d" % pod["securityContext"] in image
    assert str(container["readinessProbe"]["exec"]["command"]).replace("'", '"') in image
    known = re.findall(r'^\t?\{"(\w+)"', (servers.ROOT / "src/authentik/environment.c").read_text().replace("    {", "{"), re.M)
    settings = re.findall(r"^SETTING\((\w+)", (servers.ROOT / "src/settings.def").read_text(), re.M)
    names = {"AUTHENTIK_POSTGRESQL__" + name for name in known} | {"EVENT_MATCHER_" + name.upper() for name in settings}
    assert {variable["name"] for variable in container["env"]} <= names
    mount = container["volumeMounts"][0]["mountPath"] + "/" + list(manifest["Secret"]["stringData"])[0]
    assert mount in [variable.get("value") for variable in container["env"]]
