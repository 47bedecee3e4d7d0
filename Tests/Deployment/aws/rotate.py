"""Rotates a secret in moto as Secrets Manager would call for it, and prints its values, first to last, as JSON.

python rotate.py FUNCTION TIMES: runs in moto's own environment.
"""

import importlib.util
import json
import sys
import uuid

import boto3
from moto import mock_aws


def main(path: str, times: int) -> list[str]:
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="eu-west-1")
        specification = importlib.util.spec_from_file_location("rotation", path)
        assert specification
        assert specification.loader
        rotation = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(rotation)
        secret = client.create_secret(Name="service-keys", SecretString="a" * 48)["ARN"]
        values = [client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")["SecretString"]]
        for _ in range(times):
            token = str(uuid.uuid4())
            # A step may be asked for twice.
            for step in ("createSecret", "createSecret", "setSecret", "testSecret", "finishSecret", "finishSecret"):
                rotation.handler({"Step": step, "SecretId": secret, "ClientRequestToken": token}, None)
            values.append(client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")["SecretString"])
        return values


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]))))
