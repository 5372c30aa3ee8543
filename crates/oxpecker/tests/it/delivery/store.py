"""An S3 store for the tests beside this file: moto's server, with keys that it checks.

    store.py HOST PORT STATUS [CERTIFICATE KEY]

Begins as after the command `answer STATUS`. Prints "ready" when it listens. Each line of standard input is a command with one line of answer:

    dump BUCKET     the bucket's objects as JSON, from key to content
    answer STATUS   from now on every request gets this status and is not looked at; 0 = as usual

Beside the bucket it plays the metadata service of an instance that has a role.
"""

import datetime
import json
import os
import sys
import threading

# Every request is checked, from the first on.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"

from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.serving import WSGIRequestHandler, make_server

ACCOUNT = "123456789012"
KEY_ID, SECRET = "AKIADELIVERYTEST0001", "swordfish/And+MoreOfIt"
MAY_PUT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}],
    }
)
BUCKETS = ["logs", "Cluster1-logs"]
METADATA = "/latest/meta-data/iam/security-credentials/"


class Quiet(WSGIRequestHandler):
    def log(self, *args):
        pass


def make_accounts():
    """A user with the key above, one whose key may do nothing, and a role."""
    iam = iam_backends[ACCOUNT]["aws"]
    for name, key_id, policy in [("writer", KEY_ID, MAY_PUT), ("nobody", KEY_ID[:-1] + "2", None)]:
        iam.create_user("us-east-1", name)
        if policy:
            iam.put_user_policy(name, "put", policy)
        key = iam.create_access_key(name)
        key.access_key_id, key.secret_access_key = key_id, SECRET
    role = iam.create_role(
        role_name="gateway",
        assume_role_policy_document="{}",
        path="/",
        permissions_boundary=None,
        description="",
        tags={},
        max_session_duration="3600",
    )
    iam.put_role_policy("gateway", "put", MAY_PUT)
    return sts_backends[ACCOUNT]["aws"].assume_role(
        region_name="us-east-1",
        role_session_name="instance",
        role_arn=role.arn,
        policy=None,
        duration=3600,
        external_id=None,
    )


def main():
    host, port, status, *tls = sys.argv[1:]
    role = make_accounts()
    for bucket in BUCKETS:
        s3_backends[ACCOUNT]["aws"].create_bucket(bucket, "us-east-1")
    moto = DomainDispatcherApplication(create_backend_app)
    state = {"answer": int(status)}

    def metadata(environ):
        """IMDSv2."""
        path = environ["PATH_INFO"]
        if path == "/latest/api/token" and environ["REQUEST_METHOD"] == "PUT":
            return "metadata-token"
        if environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN") != "metadata-token":
            return None
        if path == METADATA:
            return "gateway"
        if path == METADATA + "gateway":
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
            return json.dumps(
                {
                    "AccessKeyId": role.access_key_id,
                    "SecretAccessKey": role.secret_access_key,
                    "Token": role.session_token,
                    "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                }
            )
        return None

    def app(environ, start_response):
        if state["answer"]:
            start_response(f"{state['answer']} Told so", [("Content-Length", "0")])
            return [b""]
        if environ["PATH_INFO"].startswith("/latest/"):
            text = metadata(environ)
            start_response("404 None" if text is None else "200 OK", [])
            return [(text or "").encode()]
        return moto(environ, start_response)

    server = make_server(
        host, int(port), app, threaded=True, request_handler=Quiet, ssl_context=tuple(tls) or None
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        command, argument = line.split()
        if command == "dump":
            bucket = s3_backends[ACCOUNT]["aws"].buckets[argument]
            objects = {key: bucket.keys[key].value.decode() for key in list(bucket.keys)}
            print(json.dumps(objects), flush=True)
        elif command == "answer":
            state["answer"] = int(argument)
            print("will do", flush=True)


main()
