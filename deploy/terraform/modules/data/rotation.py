"""Rotates the keys by which Souk's roles know each other, a step a month, without a refused call on the way.

The secret is a list by comma: the first key signs, all of them verify. A rotation makes

    current, next, previous     into     next, new, current

so that whoever has read the old list and whoever has read the new one believe each other, in whatever order the pods
start anew. That has to have happened before the rotation after this one.
"""

import boto3

secrets = boto3.client("secretsmanager")
LENGTH = 48


def rotated(value: str, new: str) -> str:
    """The list after one step. A list of one key, as it is at first, signs with that key for one step more."""
    current, *others = value.split(",")
    if not others:
        return ",".join([current, new])
    return ",".join([others[0], new, current])


def create(secret: str, token: str) -> None:
    """Makes the pending list, once: a step may be asked for twice."""
    try:
        secrets.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
        return
    except secrets.exceptions.ResourceNotFoundException:
        pass
    value = secrets.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT")["SecretString"]
    new = secrets.get_random_password(PasswordLength=LENGTH, ExcludePunctuation=True)["RandomPassword"]
    secrets.put_secret_value(
        SecretId=secret, ClientRequestToken=token, SecretString=rotated(value, new), VersionStages=["AWSPENDING"]
    )


def test(secret: str, token: str) -> None:
    """Refuses a list that Souk would refuse."""
    value = secrets.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")["SecretString"]
    keys = value.split(",")
    if len(keys) not in (2, 3) or any(len(key) < 32 for key in keys):
        raise ValueError(f"{secret}: expected 2 or 3 keys of 32 characters or more")


def finish(secret: str, token: str) -> None:
    """Moves the stage: from now on whoever reads the secret gets the new list."""
    stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next(version for version, names in stages.items() if "AWSCURRENT" in names)
    if current != token:
        secrets.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )


STEPS = {"createSecret": create, "setSecret": lambda secret, token: None, "testSecret": test, "finishSecret": finish}


def handler(event: dict, context: object) -> None:
    STEPS[event["Step"]](event["SecretId"], event["ClientRequestToken"])
