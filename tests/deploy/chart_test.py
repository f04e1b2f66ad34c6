#!/usr/bin/env python3
"""Checks deploy/helm/fpo/ without a cluster: Helm's own lint and rendering, the schemas of Kubernetes, and what every manifest must have.

usage: chart_test.py         (FPO_BIN_DIR: the programs; FPO_DEPLOY_TOOLS: see requirements.txt; exit code 77: skipped)
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import deploy_check as check

CHART = str(check.ROOT / "deploy/helm/fpo")
OPERATOR = "monitoring.coreos.com/v1"  # its kinds are not Kubernetes' own
CLUSTERS = ("1.27", "1.37")  # the oldest that Chart.yaml allows, the newest that the validator knows

# What users may ask for; every one is rendered and checked as a whole.
CASES = {
    "defaults": {},
    "postgresql": {"coordinator": {"replicas": 3, "store": {"postgresql": "postgresql://fpo@db/fpo", "passwordSecret": "db"}}},
    "replicas": {"cache": {"replicas": 2}, "tls": {"clientSecret": "fpo-client-tls"}},
    "gpus": {"worker": {"device": "cuda", "slots": 4, "replicas": 8, "labels": {"gpu": "h100"}}, "kueue": {"queueName": "team-a"}},
    "each node": {"worker": {"kind": "DaemonSet", "nodeSelector": {"fpo": "worker"}}},
    "metrics": {"metrics": {"enabled": True, "from": [{"namespaceSelector": {}}], "serviceMonitor": {"enabled": True},
                            "prometheusRule": {"enabled": True, "file": "groups: []\n"}}},
    "traces": {"coordinator": {"env": [{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://collector.lab:4318"}]}},
    "jobset": {"worker": {"kind": "JobSet", "replicas": 4, "extraArgs": ["--exit-when-idle=10m"]}, "kueue": {"queueName": "team-a"}},
    "provision": {"provision": {"enabled": True}, "worker": {"replicas": 0, "device": "cuda", "slots": 4, "labels": {"gpu": "h100"}},
                  "kueue": {"queueName": "team-a"}},
    "bare": {"networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
}
# What must be refused, and the word by which the reason is known.
REFUSED = {
    "two owners of RocksDB": ({"coordinator": {"replicas": 2}}, "postgresql"),
    "a queued DaemonSet": ({"kueue": {"queueName": "q"}, "worker": {"kind": "DaemonSet"}}, "Kueue"),
    "replicas without certificates": ({"cache": {"replicas": 1}}, "clientSecret"),
    "an unknown key": ({"worker": {"slot": 2}}, "slot"),
    "monitors of closed ports": ({"metrics": {"serviceMonitor": {"enabled": True}}}, "metrics.enabled"),
    "a JobSet of nobody": ({"worker": {"kind": "JobSet", "replicas": 0}}, "JobSet"),
    "an idle time without a unit": ({"provision": {"idle": "10"}}, "idle"),
    "jobs without folders": ({"worker": {"folders": []}}, "folders"),
}


def render(values):
    import helm_python
    import yaml
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name="fpo", namespace="lab")
    documents = []
    for path, text in sorted(files.items()):
        if path.endswith(".yaml"):
            documents += [each for each in yaml.safe_load_all(text) if each]
    return documents


def workload(document):
    """The document, or what Kubernetes itself knows of a JobSet: its Job."""
    if document["kind"] != "JobSet":
        return document
    replicated = document["spec"]["replicatedJobs"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": document["metadata"], "spec": replicated[0]["template"]["spec"]}


def provisioned(documents):
    """The manifest that the coordinator fills in; nothing where it makes none."""
    import json
    for document in documents:
        if document["kind"] == "ConfigMap":
            return json.loads(document["data"]["worker.json"])
    return None


def check_schema(case, document, findings):
    import kubernetes_validate
    document = workload(document)
    for version in CLUSTERS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
            findings.expect(True, "")
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(part) for part in error.path)
            findings.expect(False, f"{case}: {document['kind']} {document['metadata']['name']}, Kubernetes {version}: {path}: {error.message}")


def check_container(where, container, main, findings):
    security = container["securityContext"]
    findings.expect(security == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
                    f"{where}: securityContext is {security}")
    findings.expect("memory" in container["resources"]["limits"] and "cpu" in container["resources"]["requests"], f"{where}: resources")
    if not main:
        return
    unknown = check.unknown_flags(container["args"])
    findings.expect(not unknown, f"{where}: {container['args'][0]} has no {unknown}")
    http = next(flag for flag in container["args"] if flag.startswith("--http=")).rsplit(":", 1)[1]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["exec"]["command"]
        findings.expect(asked[0] == "fpo-healthy" and asked[-1] == f"127.0.0.1:{http}", f"{where}: {probe} asks {asked}, --http is {http}")


def check_workload(case, document, findings, stand_in):
    where = f"{case}: {document['kind']} {document['metadata']['name']}"
    pod = document["spec"]["template"]["spec"]
    context = pod["securityContext"]
    findings.expect(context["runAsNonRoot"] and context["runAsUser"] > 0 and context["seccompProfile"] == {"type": "RuntimeDefault"},
                    f"{where}: is not what the restricted policy asks")
    needs_token = case == "provision" and document["metadata"]["name"] == "fpo-coordinator"
    findings.expect(pod["automountServiceAccountToken"] is needs_token, f"{where}: its token of the cluster: {not needs_token}")
    for container in pod.get("initContainers", []):
        check_container(where, container, False, findings)
    for container in pod["containers"]:
        check_container(where, container, True, findings)
        if stand_in:
            stand_in.check(where, container, findings)
    grace = [flag for flag in pod["containers"][0]["args"] if flag.startswith("--grace=")]
    least = 60 + int(grace[0].split("=")[1].rstrip("s")) if grace else 35
    findings.expect(pod["terminationGracePeriodSeconds"] > least, f"{where}: is killed before its drain ends")
    volumes = {volume["name"] for volume in pod["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", [])}
    mounted = {mount["name"] for each in pod["containers"] + pod.get("initContainers", []) for mount in each["volumeMounts"]}
    findings.expect(volumes == mounted, f"{where}: volumes {sorted(volumes)}, mounts {sorted(mounted)}")
    # A folder that the program is given must be one that it can read or write.
    mounts = {mount["mountPath"]: mount for mount in pod["containers"][0]["volumeMounts"]}
    for flag in pod["containers"][0]["args"]:
        path = flag.split("=", 1)[-1]
        if path.startswith("/"):
            mount = next((mounts[at] for at in mounts if path == at or path.startswith(at + "/")), None)
            findings.expect(mount is not None, f"{where}: {flag} is on no volume")
            if mount and flag.startswith(("--data", "--work-dir", "--output-root")):
                findings.expect(not mount.get("readOnly"), f"{where}: {flag} cannot be written")


class StandIn:
    """A folder with what a container mounts, in which its program reads its flags and files: --check-config."""

    SECRETS = {"tls.crt": "server.pem", "tls.key": "server.key", "ca.crt": "ca.pem", "access.json": "access.json", "token": "worker.token",
               "password": "ca.key"}
    FIELDS = {"$(POD_NAME)": "fpo-worker-0", "$(NODE_NAME)": "node-1.example", "$(POD_IP)": "10.0.0.7"}

    def __init__(self, folder):
        self.folder = folder
        self.provision = {}
        environment = {**os.environ, "PATH": f"{pathlib.Path(check.program('fpoctl')).parent}:{os.environ['PATH']}"}
        check.output_of(str(check.ROOT / "deploy/docker/development-identity"), f"{folder}/identity", "any", "fpo-cache.lab.svc",
                        env=environment)

    def check(self, where, container, findings):
        for mount in container["volumeMounts"]:
            place = self.folder + mount["mountPath"]
            os.makedirs(place, exist_ok=True)
            for name, text in self.provision.items() if mount["name"] == "provision" else ():
                pathlib.Path(place, name).write_text(text)
            for name, source in self.SECRETS.items():
                shutil.copy(f"{self.folder}/identity/{source}", f"{place}/{name}")
        words = [re.sub("=/", f"={self.folder}/", word, count=1) for word in container["args"]]
        for name, value in self.FIELDS.items():
            words = [word.replace(name, value) for word in words]
        for word in words:
            path = word.partition("=")[2]
            if path.startswith((f"{self.folder}/etc/", f"{self.folder}/run/")):
                findings.expect(os.path.isfile(path), f"{where}: no Secret has the file of {word.replace(self.folder, '')}")
        trainer = ["--trainer=/bin/true"] if words[0] == "fpo-worker" else []
        done = subprocess.run([check.program(words[0]), *words[1:], *trainer, "--check-config"], capture_output=True, text=True)
        findings.expect(done.returncode == 0, f"{where}: {words[0]} --check-config: {done.stderr}")


def check_references(case, documents, findings):
    """Selectors find pods, addresses find Services, and the chart holds no Secret."""
    kinds = [document["kind"] for document in documents]
    findings.expect("Secret" not in kinds, f"{case}: the chart makes a Secret")
    pods = [workload(document)["spec"]["template"] for document in documents if "template" in workload(document).get("spec", {})]
    services = {document["metadata"]["name"]: document for document in documents if document["kind"] == "Service"}
    for document in documents:
        spec = document.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector")
        if selector is None or document["apiVersion"] == OPERATOR:
            continue
        wanted = selector.get("matchLabels", selector).items()
        found = [pod for pod in pods if wanted <= pod["metadata"]["labels"].items()]
        findings.expect(len(found) == 1, f"{case}: {document['kind']} {document['metadata']['name']} selects {len(found)} of the workloads")
    for pod in pods:
        for flag in pod["spec"]["containers"][0]["args"]:
            if not flag.startswith(("--coordinator=", "--cache=", "--replica-of=")):
                continue
            for address in flag.split("=")[1].split(","):
                host, port = address.split(":")
                service = services.get(host.removesuffix(".lab.svc").split(".")[-1])
                ports = [each["port"] for each in (service or {"spec": {"ports": []}})["spec"]["ports"]]
                findings.expect(int(port) in ports, f"{case}: {flag} names a Service that is not there")


def check_choices(rendered, findings):
    """What single values are for."""
    by_name = {case: {(each["kind"], each["metadata"]["name"]): each for each in documents} for case, documents in rendered.items()}

    def args(case, kind, name):
        return by_name[case][kind, name]["spec"]["template"]["spec"]["containers"][0]["args"]

    queued = by_name["gpus"]["StatefulSet", "fpo-worker"]
    findings.expect(queued["metadata"]["labels"].get("kueue.x-k8s.io/queue-name") == "team-a", "kueue.queueName is not passed on")
    limits = queued["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    findings.expect(limits.get("nvidia.com/gpu") == 4 and "memory" in limits, f"4 slots on GPUs have the limits {limits}")
    coordinators = [flag for flag in args("postgresql", "StatefulSet", "fpo-worker") if flag.startswith("--coordinator=")]
    findings.expect(coordinators[0].count("fpo-coordinator.lab.svc:7070") == 3, f"of three coordinators agents know {coordinators}")
    findings.expect("--cache=fpo-cache-replica.lab.svc:7080" in args("replicas", "StatefulSet", "fpo-worker"), "workers pass the replicas by")
    findings.expect("--http-open" not in args("defaults", "StatefulSet", "fpo-coordinator"), "the HTTP port is open by default")
    findings.expect("--http=0.0.0.0:7071" in args("metrics", "StatefulSet", "fpo-coordinator"), "metrics.enabled opens nothing")
    variables = by_name["traces"]["StatefulSet", "fpo-coordinator"]["spec"]["template"]["spec"]["containers"][0]["env"]
    findings.expect([each["name"] for each in variables] == ["POD_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT"], f"coordinator.env gives {variables}")
    jobset = by_name["jobset"]["JobSet", "fpo-worker"]
    findings.expect(jobset["metadata"]["labels"].get("kueue.x-k8s.io/queue-name") == "team-a", "kueue.queueName is not passed on to a JobSet")
    findings.expect(workload(jobset)["spec"]["parallelism"] == 4, f"a JobSet of 4 workers: {jobset}")
    findings.expect(not any("JobSet" in kind or kind == "Role" for kind, _ in by_name["defaults"]), "the chart makes more than it is asked for")
    roles = [each for (kind, _), each in by_name["provision"].items() if kind == "Role"]
    findings.expect([each["rules"] for each in roles] == [[{"apiGroups": ["jobset.x-k8s.io"], "resources": ["jobsets"],
                                                           "verbs": ["get", "create", "delete"]}]], f"the coordinator may: {roles}")
    budgets = [name for kind, name in by_name["each node"] if kind == "PodDisruptionBudget"]
    findings.expect(budgets == ["fpo-coordinator", "fpo-cache"], f"a DaemonSet has no scale to count: {budgets}")
    policies = [name for kind, name in by_name["defaults"] if kind == "NetworkPolicy"]
    findings.expect(len(policies) == 3 and not any(kind == "NetworkPolicy" for kind, _ in by_name["bare"]), f"policies: {policies}")


def check_refusals(findings):
    import helm_python
    for case, (values, word) in REFUSED.items():
        try:
            render(values)
            findings.expect(False, f"{case}: is rendered")
        except helm_python.HelmError as error:
            findings.expect(word in str(error), f"{case}: is refused, but says: {error}")


def main():
    if sys.argv[1:]:
        print(__doc__)
        sys.exit(0 if sys.argv[1] in ("-h", "--help") else 2)
    check.enter_tools()
    try:
        import helm_python
        import kubernetes_validate  # noqa: F401
        import yaml  # noqa: F401
    except ImportError as error:
        check.skip(f"{error}: {check.HOW}")
    for name in ("fpo-coordinator", "fpo-cache", "fpo-worker", "fpoctl"):
        check.program(name)
    findings = check.Findings()
    for message in helm_python.lint(CHART, {}, strict=True)["messages"]:
        findings.expect(message["severity"] < 2, f"lint: {message['path']}: {message['error']}")
    with tempfile.TemporaryDirectory(prefix="fpo-chart-") as folder:
        if not check.has("openssl"):
            print("openssl is missing: the programs did not read their flags")
        check_all(findings, StandIn(folder) if check.has("openssl") else None)
    findings.end()


def check_all(findings, stand_in):
    rendered = {case: render(values) for case, values in CASES.items()}
    for case, documents in rendered.items():
        check_references(case, documents, findings)
        if stand_in:
            stand_in.provision = next((each["data"] for each in documents if each["kind"] == "ConfigMap"), {})
        made = provisioned(documents)
        for document in documents + ([made] if made else []):
            if document["apiVersion"] != OPERATOR:
                check_schema(case, document, findings)
            if "template" in workload(document).get("spec", {}):
                check_workload(case, workload(document), findings, stand_in)
    check_choices(rendered, findings)
    check_refusals(findings)


main()
