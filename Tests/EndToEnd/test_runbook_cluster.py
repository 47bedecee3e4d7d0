"""The runbook's commands for a cluster, each by the real tool as far as one machine goes.

- `kubectl` is the real one; it asks an API server on the loopback that has the rendered chart's objects. Grammar, kinds
  and names are tried; that a cluster then does it is not. `exec` and `port-forward` end where their stream would begin.
- `aws` is the real one; it asks moto, in which are databases, caches and clusters by the names that Terraform gives.
  What moto lacks (`LACKING`) is tried for its words and its names alone.
- `helm` and the plugin `kubectl argo rollouts` are stand-ins that take the same words and know the same names.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import runbook
from cluster_api import Cluster
from runbook import Command
from shop import CLUSTER_TOOLS, ROOT, SOUK, eventually, free_port

BOOK = runbook.read()
COMMANDS = [each for each in BOOK.commands if each.is_clusters]
STAND_INS = Path(__file__).with_name("stand_ins")
STREAMS = {" exec ": "/exec?", " port-forward ": "/portforward"}
# Of AWS, what moto does not answer.
LACKING = ["rds describe-db-proxy-targets", "elasticache test-failover"]
REGION, ENVIRONMENT = "eu-west-1", "prod"
ACCOUNT = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto", "AWS_DEFAULT_REGION": REGION}
ACCOUNT |= {"AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1", "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1"}


# --- what is there ----------------------------------------------------------------------------------------------------


def terraform(file: str, kind: str, attribute: str) -> str:
    """The name that Terraform gives to a thing: all of a region have the environment's."""
    text = (ROOT / "deploy/terraform/modules" / file).read_text()
    found = re.search(rf'^resource "{kind}" "this" \{{.*?^  {attribute} += (.+?)$', text, re.MULTILINE | re.DOTALL)
    assert found, f"{file} has no {kind} with {attribute}"
    assert found[1] == "var.name", f"{file}: {attribute} of {kind} is {found[1]}"
    souk = (ROOT / "deploy/terraform/modules/souk/main.tf").read_text()
    whole = re.search(r'^  name += "([^"]+)"$', souk, re.MULTILINE)
    assert whole, "modules/souk/main.tf names nothing"
    return whole[1].replace("${var.environment}", ENVIRONMENT)


class Account:
    """An account at an AWS on loopback, with what the runbook asks about."""

    def __init__(self, port: int):
        import boto3

        url = f"http://127.0.0.1:{port}"
        self.environment = {**ACCOUNT, "AWS_ENDPOINT_URL": url}
        keys = {"aws_access_key_id": "moto", "aws_secret_access_key": "moto", "region_name": REGION}

        def client(service: str):
            return boto3.client(service, endpoint_url=url, **keys)

        role = "arn:aws:iam::123456789012:role/role"
        network = client("ec2").describe_subnets()["Subnets"]
        subnets = [each["SubnetId"] for each in network[:2]]
        self.database = terraform("data/database.tf", "aws_db_instance", "identifier")
        server = {"DBInstanceClass": "db.r7g.xlarge", "Engine": "postgres", "AllocatedStorage": 100}
        owner = {"MasterUsername": "souk", "MasterUserPassword": "made-up-for-moto"}
        client("rds").create_db_instance(DBInstanceIdentifier=self.database, **server, **owner)
        client("rds").create_db_snapshot(DBInstanceIdentifier=self.database, DBSnapshotIdentifier="first")
        self.proxy = terraform("data/proxy.tf", "aws_db_proxy", "name")
        self.cache = terraform("data/cache.tf", "aws_elasticache_replication_group", "replication_group_id")
        client("elasticache").create_replication_group(
            ReplicationGroupId=self.cache, ReplicationGroupDescription="Redis", Engine="redis"
        )
        client("eks").create_cluster(
            name=terraform("cluster/main.tf", "aws_eks_cluster", "name"),
            roleArn=role,
            resourcesVpcConfig={"subnetIds": subnets},
        )
        groups = client("elbv2").create_target_group(
            Name="souk", Protocol="HTTP", Port=8080, VpcId=network[0]["VpcId"], TargetType="ip"
        )
        self.target_group = groups["TargetGroups"][0]["TargetGroupArn"]
        self.certificate = client("acm").request_certificate(DomainName="souk.example")["CertificateArn"]


@pytest.fixture(scope="module")
def account(tmp_path_factory) -> Iterator[Account]:
    port, log = free_port(), tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        try:
            import httpx

            eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/moto-api/", trust_env=False), log.read_text(), 60)
            yield Account(port)
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def chart() -> dict[str, list[dict]]:
    """The chart's objects by roll-out, as the tests of the deployment render them."""
    sys.path.append(str(ROOT / "Tests/Deployment"))
    from helm.rendering import rendered

    return rendered(ROOT)


@pytest.fixture
def cluster(chart, account) -> Iterator[Cluster]:
    with Cluster(chart[ENVIRONMENT], account.target_group) as cluster:
        yield cluster


class Desk:
    """Whoever types: with a context of the cluster, and in the account."""

    def __init__(self, cluster: Cluster, account: Account, chart: dict, folder: Path):
        self.cluster, self.account, self.folder = cluster, account, folder
        configuration = folder / "kubeconfig"
        configuration.write_text(cluster.configuration())
        rollouts = [each["metadata"]["name"] for each in chart["canary"] if each["kind"] == "Rollout"]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HELM_"))},
            **account.environment,
            "KUBECONFIG": str(configuration),
            "HOME": str(folder),
            "PATH": os.pathsep.join([str(STAND_INS), str(CLUSTER_TOOLS), os.environ["PATH"]]),
            "RELEASE": "souk/souk",
            "ROLLOUTS": ",".join(f"souk/{name}" for name in rollouts),
        }

    def filled(self, command: Command) -> str:
        """With what a reader puts in, of what there is."""
        words = {"POD": "souk-orders-1", "NODE": "node-1", "ARN": self.account.certificate, "GIB": "200"}
        words |= {"DATE": "2026-01-01", "NAME": "souk-audit-29000000"}
        text = command.text
        for word, value in words.items():
            text = re.sub(rf"(?<![$\w])\b{word}\b", value, text)
        return text

    def before(self, text: str) -> None:
        """What an earlier step of the runbook has made."""
        for job in re.findall(r"job[ /](\w+-now)", text):
            if "create" not in text:
                self.run(f"k create job --from=cronjob/souk-{job.removesuffix('-now')} {job}")

    def run(self, text: str) -> str:
        for words in LACKING:
            if words in text:
                return self.judge(text)
        # What a program before a bar says must not be lost.
        setup = "set -o pipefail\n" + BOOK.setup
        result = runbook.run(text, setup, self.folder, self.environment, 120)
        said = f"{text}\n{result.returncode}\n{result.stdout[-3000:]}{result.stderr[-3000:]}"
        for word, path in STREAMS.items():
            if word in text:
                assert any(f"/pods/souk-orders-1{path}" in asked for _, asked in self.cluster.asked), said
                return result.stdout
        assert result.returncode == 0, said
        assert "No resources found" not in result.stderr, said
        return result.stdout

    def judge(self, text: str) -> str:
        """By the tool's own description of the operation, and by the names that Terraform gives."""
        result = runbook.run(f"{text} --generate-cli-skeleton output", BOOK.setup, self.folder, self.environment, 120)
        assert result.returncode == 0, f"{text}\n{result.stdout}{result.stderr}"
        named = dict(re.findall(r"--(db-proxy-name|replication-group-id|node-group-id) (\S+)", text))
        there = {"db-proxy-name": self.account.proxy, "replication-group-id": self.account.cache}
        for name, value in named.items():
            expected = there.get(name, "0001")
            assert value.replace("$ENVIRONMENT", ENVIRONMENT) == expected, f"{text}: there is no {name} {value}"
        return result.stdout


@pytest.fixture
def desk(cluster, account, chart, tmp_path) -> Desk:
    # Without them nothing here is tried, so that their absence is a failure, and no reason to pass over it.
    for program in "kubectl", "aws":
        assert (CLUSTER_TOOLS / program).exists(), f"{program} is not installed: run scripts/setup test"
    return Desk(cluster, account, chart, tmp_path)


# --- the tests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_command_of_a_cluster(desk, command):
    if "souk chaos run" in command.text:
        # It wants a cluster whose pods come back: read, and not run.
        file = re.search(r"\S+\.json", command.text)[0]
        subprocess.run([SOUK, "chaos", "validate", ROOT / file], check=True, capture_output=True)
        return
    text = desk.filled(command)
    desk.before(text)
    desk.run(text)


def test_what_is_asked_for_is_asked_of_the_right_thing(desk):
    desk.run("k rollout restart deploy/souk-orders")
    template = desk.cluster.objects["deployments", "souk", "souk-orders"]["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    (shed,) = [each for each in COMMANDS if each.section == "CheckoutShed"]
    desk.run(shed.text)
    for role in "orders", "products", "payments":
        spec = desk.cluster.objects["horizontalpodautoscalers", "souk", f"souk-{role}"]["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (10, 20)
    desk.run("kubectl drain node-1 --ignore-daemonsets --delete-emptydir-data --force")
    assert desk.cluster.objects["nodes", None, "node-1"]["spec"]["unschedulable"]
    assert not desk.cluster.selected("pods", None, {"fieldSelector": ["spec.nodeName=node-1"]})


@pytest.mark.parametrize(
    "wrong",
    [
        "k rollout restart deploy/souk-order",
        "k get hpas",
        "k get pods --selectr app.kubernetes.io/component=orders",
        "k get pods --selector app.kubernetes.io/component=order",
        "k create job --from=cronjob/souk-audits audit-now",
        "kubectl --namespace observabilty get pods",
        "k port-forward svc/souk-orders 9090",
        "aws rds describe-db-instances --db-instance-identifier souk-shop-$ENVIRONMENT",
        "aws rds describe-db-instance --db-instance-identifier souk-$ENVIRONMENT",
        "aws rds describe-db-proxy-targets --db-proxy-name souk-shop-$ENVIRONMENT",
        "aws elasticache test-failover --replication-group-id souk-$ENVIRONMENT --node-group-id 1",
        "helm --namespace souk history shop",
        "helm --namespace souk rollback souk --wait-a-while",
        "kubectl argo rollouts --namespace souk restart souk-order",
    ],
)
def test_a_planted_mistake_is_seen(desk, wrong):
    with pytest.raises(AssertionError):
        desk.run(wrong)
