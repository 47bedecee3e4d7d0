"""An S3 and STS peer for the tests: moto, which checks every signature, and a listener that answers badly.

Prints one line of JSON that says where everything is, and ends when its standard input does; then the folder given goes
too.
"""

import json
import logging
import pathlib
import socket
import sys
import threading
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import boto3
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.s3.exceptions import S3SignatureDoesNotMatchError
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
BUCKET = "souk-test"
logging.getLogger("werkzeug").setLevel(logging.ERROR)

secrets = {}
checked_by_header = ActionAuthenticatorMixin._authenticate_and_authorize_action


def check(self, request_class, resource="*"):
    """moto knows signed headers only: presigned URLs are checked here, and STS asks for no signature."""
    if "Authorization" in self.headers:
        return checked_by_header(self, request_class, resource)
    query = dict(parse_qsl(urlsplit(self.uri).query))
    if "X-Amz-Signature" in query and not presigned_well(self, query):
        raise S3SignatureDoesNotMatchError()


def presigned_well(response, query):
    signature = query.pop("X-Amz-Signature")
    url = urlunsplit(urlsplit(response.uri)._replace(query=urlencode(query)))
    key, _, region = query["X-Amz-Credential"].split("/")[:3]
    headers = {name: response.headers[name] for name in query["X-Amz-SignedHeaders"].split(";")}
    request = AWSRequest(method=response.method, url=url, headers=headers)
    request.context["timestamp"] = query["X-Amz-Date"]
    auth = S3SigV4QueryAuth(Credentials(key, secrets[key]), "s3", region)
    auth.headers_to_sign = lambda request: request.headers
    canonical = auth.canonical_request(request)
    return auth.signature(auth.string_to_sign(request, canonical), request) == signature


def user(iam, name, policy):
    iam.create_user(UserName=name)
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    secrets[key["AccessKeyId"]] = key["SecretAccessKey"]
    return [key["AccessKeyId"], key["SecretAccessKey"]]


def start_moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    root = {"aws_access_key_id": "root", "aws_secret_access_key": "root", "region_name": REGION}
    s3 = boto3.client("s3", endpoint_url=url, **root)
    iam = boto3.client("iam", endpoint_url=url, **root)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    allow = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    role = iam.create_role(RoleName="souk", AssumeRolePolicyDocument=json.dumps(allow))["Role"]["Arn"]
    iam.put_role_policy(RoleName="souk", PolicyName="all", PolicyDocument=json.dumps(allow))
    facts = {
        "port": port,
        "bucket": BUCKET,
        "region": REGION,
        "role": role,
        "allowed": user(iam, "allowed", allow),
        "denied": user(iam, "denied", None),
    }
    ActionAuthenticatorMixin._authenticate_and_authorize_action = check
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    return facts


SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>"
HALVES = {
    "mute": b"",
    "half-head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "half-body": b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 100\r\n\r\nhalf",
    "garbage": b"\x00\xff not HTTP at all\r\n\r\n",
}


def answer(connection, seen):
    """By the object's name; the first request for a name fails, and unless it is always so, the second does not."""
    with connection:
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(65536)
            if not data:
                return
            head += data
        path = head.split(b" ")[1].decode().split("?")[0]
        name = path.rsplit("/", 1)[-1]
        is_first = path not in seen
        seen.add(path)
        fault = name.removeprefix("always-")
        if not is_first and not name.startswith("always-"):
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nwhole")
        elif fault == "slow-down":
            size = b"content-length: %d\r\n\r\n" % len(SLOW_DOWN)
            connection.sendall(b"HTTP/1.1 503 Slow Down\r\n" + size + SLOW_DOWN)
        elif fault == "mute":
            connection.recv(1)
        else:
            connection.sendall(HALVES[fault])


def start_faults():
    listener = socket.create_server(("127.0.0.1", 0))
    seen = set()

    def serve():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection, seen), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


facts = start_moto()
facts["faults"] = start_faults()
print(json.dumps(facts), flush=True)
sys.stdin.read()
pathlib.Path(sys.argv[1]).rmdir()
