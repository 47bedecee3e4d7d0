"""What moto lacks of EKS, in front of it: add-ons, access entries, pod identity, and some fields of a cluster.

    python eks.py PORT MOTO_PORT

Everything else is passed on as it is. What is kept is in memory, as moto's is, and what is asked for is answered at
once as active: this stands in for the interface, not for EKS. Standard library only.
"""

from __future__ import annotations

import http.client
import http.server
import json
import re
import sys
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field

ACCOUNT = "123456789012"  # moto's
CLUSTER_DEFAULTS = {"upgradePolicy", "zonalShiftConfig", "accessConfig"}

Answer = tuple[int, dict]
NOT_FOUND: Answer = (404, {"message": "No such resource", "__type": "ResourceNotFoundException"})


def ec2(region: str, wanted: str, **parameters: str) -> str:
    """Asks moto's EC2, and gives the first element of that name; empty where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", Proxy.moto, timeout=30)
    form = urllib.parse.urlencode({**parameters, "Version": "2016-11-15"})
    signed = f"AWS4-HMAC-SHA256 Credential=moto/20260101/{region}/ec2/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": signed, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/", form, {**headers, "Host": f"ec2.{region}.amazonaws.com"})
    found = re.search(f"<{wanted}>([^<]*)</{wanted}>", connection.getresponse().read().decode())
    connection.close()
    return found[1] if found else ""


@dataclass
class Store:
    """What was made, by region and cluster, as the interface shows it."""

    addons: dict[tuple, dict] = field(default_factory=dict)
    associations: dict[tuple, dict] = field(default_factory=dict)
    entries: dict[tuple, dict] = field(default_factory=dict)
    policies: dict[tuple, list[dict]] = field(default_factory=dict)
    clusters: dict[tuple, dict] = field(default_factory=dict)
    networks: dict[tuple, dict] = field(default_factory=dict)

    def arn(self, region: str, kind: str, *names: str) -> str:
        return f"arn:aws:eks:{region}:{ACCOUNT}:{kind}/{'/'.join(names)}"

    # --- add-ons ------------------------------------------------------------------------------------------------------

    def addon(self, method: str, region: str, cluster: str, rest: list[str], body: dict) -> Answer:
        if method == "POST" and not rest:
            name, now = body["addonName"], time.time()
            associations = [
                self.associate(region, cluster, {**each, "namespace": "kube-system"})["associationArn"]
                for each in body.get("podIdentityAssociations") or []
            ]
            self.addons[region, cluster, name] = {
                "addonName": name,
                "clusterName": cluster,
                "status": "ACTIVE",
                "addonVersion": body.get("addonVersion") or "v1.0.0-eksbuild.1",
                "addonArn": self.arn(region, "addon", cluster, name, "1"),
                "configurationValues": body.get("configurationValues"),
                "podIdentityAssociations": associations,
                "health": {"issues": []},
                "tags": body.get("tags") or {},
                "createdAt": now,
                "modifiedAt": now,
            }
            return 200, {"addon": self.addons[region, cluster, name]}
        return self.one(self.addons, (region, cluster, *rest), method, "addon")

    # --- pod identity -------------------------------------------------------------------------------------------------

    def associate(self, region: str, cluster: str, body: dict) -> dict:
        number, now = f"a-{uuid.uuid4().hex[:17]}", time.time()
        association = {
            "associationId": number,
            "associationArn": self.arn(region, "podidentityassociation", cluster, number),
            "clusterName": cluster,
            "namespace": body["namespace"],
            "serviceAccount": body["serviceAccount"],
            "roleArn": body["roleArn"],
            "tags": body.get("tags") or {},
            "createdAt": now,
            "modifiedAt": now,
        }
        self.associations[region, cluster, number] = association
        return association

    def association(self, method: str, region: str, cluster: str, rest: list[str], body: dict) -> Answer:
        if method == "POST" and not rest:
            return 200, {"association": self.associate(region, cluster, body)}
        return self.one(self.associations, (region, cluster, *rest), method, "association")

    # --- access -------------------------------------------------------------------------------------------------------

    def entry(self, method: str, region: str, cluster: str, rest: list[str], body: dict) -> Answer:
        if method == "POST" and not rest:
            principal, now = body["principalArn"], time.time()
            self.entries[region, cluster, principal] = {
                "clusterName": cluster,
                "principalArn": principal,
                "accessEntryArn": self.arn(region, "access-entry", cluster, "role", principal.rsplit("/", 1)[-1], "1"),
                "kubernetesGroups": body.get("kubernetesGroups") or [],
                "type": body.get("type") or "STANDARD",
                "username": body.get("username") or principal,
                "tags": body.get("tags") or {},
                "createdAt": now,
                "modifiedAt": now,
            }
            return 200, {"accessEntry": self.entries[region, cluster, principal]}
        key = (region, cluster, *rest[:1])
        if key in self.entries and rest[1:2] == ["access-policies"]:
            return self.policy(method, key, rest[2:], body)
        return self.one(self.entries, key, method, "accessEntry")

    def policy(self, method: str, key: tuple, rest: list[str], body: dict) -> Answer:
        policies = self.policies.setdefault(key, [])
        if method == "POST":
            now = time.time()
            policies.append({**body, "associatedAt": now, "modifiedAt": now})
            return 200, {"clusterName": key[1], "principalArn": key[2], "associatedAccessPolicy": policies[-1]}
        if method == "DELETE":
            self.policies[key] = [policy for policy in policies if policy["policyArn"] != rest[0]]
            return 200, {}
        return 200, {"clusterName": key[1], "principalArn": key[2], "associatedAccessPolicies": policies}

    # --- what moto keeps, and forgets a part of -----------------------------------------------------------------------

    def remember(self, region: str, body: dict) -> None:
        """What was asked for, for what moto forgets of it."""
        self.clusters[region, body["name"]] = body

    def complete(self, region: str, answer: dict) -> dict:
        """A cluster or node group as EKS would show it."""
        cluster, group = answer.get("cluster"), answer.get("nodegroup")
        if cluster:
            asked = self.clusters.get((region, cluster["name"]), {})
            for key in CLUSTER_DEFAULTS & asked.keys():
                cluster[key] = asked[key]
            cluster.setdefault("resourcesVpcConfig", {}).update(self.network(region, cluster))
        if group:
            asked = self.clusters.get((region, group["clusterName"], group["nodegroupName"]), {})
            group.pop("remoteAccess", None)
            group["updateConfig"] = asked.get("updateConfig")
            group["nodeRepairConfig"] = asked.get("nodeRepairConfig")
            group["version"] = self.clusters.get((region, group["clusterName"]), {}).get("version")
        return answer

    def network(self, region: str, cluster: dict) -> dict:
        """The VPC of the cluster, and its security group, which EKS makes by itself."""
        key = (region, cluster["arn"])
        if key not in self.networks:
            subnet = cluster["resourcesVpcConfig"]["subnetIds"][0]
            vpc = ec2(region, "vpcId", Action="DescribeSubnets", **{"SubnetId.1": subnet})
            name = f"eks-cluster-sg-{cluster['name']}"
            group = ec2(
                region, "groupId", Action="CreateSecurityGroup", VpcId=vpc, GroupName=name, GroupDescription=name
            )
            self.networks[key] = {"vpcId": vpc, "clusterSecurityGroupId": group}
        return self.networks[key]

    def forget(self, region: str, cluster: dict) -> None:
        """Deletes the security group with its cluster, as EKS does."""
        network = self.networks.pop((region, cluster["arn"]), None)
        if network:
            ec2(region, "return", Action="DeleteSecurityGroup", GroupId=network["clusterSecurityGroupId"])

    @staticmethod
    def one(kept: dict, key: tuple, method: str, name: str) -> Answer:
        if key not in kept:
            return NOT_FOUND
        return 200, {name: kept.pop(key) if method == "DELETE" else kept[key]}


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer is sent whole: headers alone, and a pause, are taken for a broken connection by a client in a hurry.
    wbufsize = 1 << 20
    store = Store()
    moto: int

    def log_message(self, *arguments: object) -> None:
        pass

    def region(self) -> str:
        """From the signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`."""
        credential = self.headers.get("Authorization", "").partition("Credential=")[2].split("/")
        return credential[2] if len(credential) > 2 else "us-east-1"

    def serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = [urllib.parse.unquote(part) for part in self.path.partition("?")[0].strip("/").split("/")]
        if parts[0] == "clusters":
            region, body = self.region(), json.loads(raw) if raw.startswith(b"{") else {}
            kinds = {
                "addons": self.store.addon,
                "access-entries": self.store.entry,
                "pod-identity-associations": self.store.association,
            }
            if len(parts) > 2 and parts[2] in kinds:
                return self.answer(*kinds[parts[2]](self.command, region, parts[1], parts[3:], body))
            if self.command == "POST" and len(parts) == 1:
                self.store.remember(region, body)
            elif self.command == "POST" and parts[2:] == ["node-groups"]:
                self.store.clusters[region, parts[1], body["nodegroupName"]] = body
        self.forward(raw, parts)

    def forward(self, raw: bytes, parts: list[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.moto, timeout=120)
        connection.request(self.command, self.path, raw, dict(self.headers.items()))
        response = connection.getresponse()
        data = response.read()
        if parts[0] == "clusters" and response.status == 200:
            answer = self.store.complete(self.region(), json.loads(data))
            data = json.dumps(answer).encode()
            if self.command == "DELETE" and len(parts) == 2:
                self.store.forget(self.region(), answer["cluster"])
        self.send_response(response.status)
        kept = {"content-length", "transfer-encoding", "connection", "date", "server"}
        for name, value in response.getheaders():
            if name.lower() not in kept:
                self.send_header(name, value)
        # What a HEAD would have had is said by its own header.
        length = response.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        connection.close()

    def answer(self, status: int, body: dict) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status >= 400:
            self.send_header("X-Amzn-ErrorType", body["__type"])
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = serve


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


if __name__ == "__main__":
    Proxy.moto = int(sys.argv[2])
    Server(("127.0.0.1", int(sys.argv[1])), Proxy).serve_forever()
