"""An S3 peer: moto, with what was written kept in a file, so that it is there again after the next start.

object_store.py PORT BUCKET REGION FILE
"""

import logging
import os
import signal
import sys
import threading

port, bucket, region, file = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
os.environ |= {"MOTO_ENABLE_RECORDING": "true", "MOTO_RECORDER_FILEPATH": file}

# moto reads its settings when it is imported.
import boto3  # noqa: E402
from moto.moto_api import recorder  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

logging.getLogger("werkzeug").setLevel(logging.ERROR)
write = recorder._record_request


def record(request, body=None) -> None:
    if request.method in ("PUT", "POST", "DELETE"):
        write(request, body)


def restore() -> None:
    """Plays again what was written, to a server that nobody else knows; makes the bucket where there is none."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    if os.path.exists(file):
        recorder.replay_recording(target_host=url)
    s3 = boto3.client(
        "s3", endpoint_url=url, region_name=region, aws_access_key_id="fleet", aws_secret_access_key="fleet"
    )
    if bucket not in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    server.stop()


recorder._record_request = record
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
restore()
public = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
public.start()
ended.wait()
public.stop()
