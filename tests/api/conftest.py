"""Contract tests: stock clients against a throw-away daemon in simulation mode.

    /usr/bin/python3 -m pytest tests/api

The daemon comes from BRUME_BIN (a folder; default build/release/bin). Nothing here needs root, and nothing but the daemon's own
temporary folder is written. The tests say what EC2 says: they could run against the original.
"""
import contextlib
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree

import boto
import boto.ec2.connection
import boto.regioninfo
import boto3
import botocore.config
import botocore.exceptions
import pytest

import service_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BRUME_BIN", ROOT / "build/release/bin"))
REGION = "us-east-1"
OLD = "2011-12-01"
NEW = "2016-11-15"


# What the daemons of this run have written, in files or, when their folders are gone, in texts.
log_files = set()
logs_kept = []


class Keys:
    def __init__(self, account, key_id, secret):
        self.account, self.key_id, self.secret = account, key_id, secret


class Answer:
    """What came back of a plain Query request."""

    def __init__(self, status, body):
        self.status, self.body = status, body
        self.tree = ElementTree.fromstring(body)
        for element in self.tree.iter():
            element.tag = element.tag.rpartition("}")[2]

    def texts(self, path):
        return [element.text or "" for element in self.tree.iterfind(path)]

    @property
    def code(self):
        return "".join(self.texts(".//Error/Code"))


class ClassicConnection(boto.ec2.connection.EC2Connection):
    """boto 2 signing as it did in the guide's days; its last release uses version 4."""

    def _required_auth_capability(self):
        return ["ec2"]


class Daemon:
    def __init__(self, process, endpoint, home):
        self.process, self.endpoint, self.home = process, endpoint, home
        self.end_asked = False
        # In simulation an access key that nobody made belongs to this account.
        self.keys = Keys("123456789012", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")

    def client(self, service="ec2", keys=None):
        keys = keys or self.keys
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=keys.key_id,
            aws_secret_access_key=keys.secret,
            config=botocore.config.Config(retries={"max_attempts": 0}, read_timeout=30),
        )

    def old_client(self, keys=None, kind=ClassicConnection):
        """boto 2 with the API version of the guide and signature version 2."""
        keys = keys or self.keys
        where = urllib.parse.urlsplit(self.endpoint)
        connection = kind(
            aws_access_key_id=keys.key_id,
            aws_secret_access_key=keys.secret,
            is_secure=False,
            port=where.port,
            region=boto.regioninfo.RegionInfo(name=REGION, endpoint=where.hostname),
            api_version=OLD,
            validate_certs=False,
        )
        connection.num_retries = 0
        return connection

    def query(self, action, version=None, parameters=None, **more):
        """A request as it was written by hand then, unsigned: simulation does not ask for a signature. Of the guide's API version, unless
        the action or a parameter came later."""
        version = version or (OLD if service_model.was_there(action, [*(parameters or {}), *more]) else NEW)
        fields = {"Action": action, "Version": version, "AWSAccessKeyId": self.keys.key_id, **(parameters or {}), **more}
        try:
            with urllib.request.urlopen(self.endpoint, urllib.parse.urlencode(fields).encode(), timeout=30) as response:
                return Answer(response.status, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())

    def reset(self, keys=None):
        keys = keys or self.keys
        request = urllib.request.Request(self.endpoint + "/_brume/reset", data=b"", method="POST")
        credential = f"{keys.key_id}/20111201/{REGION}/ec2/aws4_request"
        request.add_header("Authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00")
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 200

    def end(self):
        self.end_asked = True
        return ended(self.process)

    def brume(self, *arguments):
        """What the operator's command prints."""
        return subprocess.run(
            [BIN / "brume", *arguments], env={**os.environ, "BRUME_HOME": self.home}, check=True, capture_output=True, text=True, timeout=30
        ).stdout

    def create_account(self, name, *options):
        output = self.brume("account", "create", name, *options)
        fields = dict(re.findall(r"^(account|access key|secret) +(\S+)", output, re.MULTILINE))
        return Keys(fields["account"], fields["access key"], fields["secret"])


def wait_for_ready(process, seconds, log):
    """The endpoint out of the line 'ready endpoint=http://…'."""
    deadline = time.monotonic() + seconds
    seen = b""
    while time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.2)[0]:
            chunk = os.read(process.stdout.fileno(), 4096)
            seen += chunk
            found = re.search(rb"^ready endpoint=(\S+)$", seen, re.MULTILINE)
            if found:
                return found.group(1).decode()
            if not chunk:
                break
        if process.poll() is not None:
            break
    raise RuntimeError(f"brumed was not ready (exit code {process.poll()}): {pathlib.Path(log.name).read_text(errors='replace')}")


@contextlib.contextmanager
def log_of(folder):
    """The log of a daemon, kept for errors_test.py, which asks what was raised."""
    path = pathlib.Path(folder, "log")
    log_files.add(path)
    with open(path, "wb") as log:
        try:
            yield log
        finally:
            log_files.discard(path)
            logs_kept.append(path.read_text(errors="replace"))


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name == "errors_test.py")  # it looks back at all others


@contextlib.contextmanager
def started_daemon(*options):
    if not (BIN / "brumed").exists():
        pytest.skip(f"no daemon in {BIN}")
    # Short: the operator's socket lies below it, and paths of sockets have at most 107 bytes.
    folder = tempfile.mkdtemp(prefix="brume-api-", dir="/tmp")
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, folder, ignore_errors=True)
        log = ending.enter_context(log_of(folder))
        process = subprocess.Popen(
            [BIN / "brumed", "--simulate", "--port", "0", "--verbose", *options],
            stdout=subprocess.PIPE, stderr=log, env={**os.environ, "TMPDIR": folder},
        )
        ending.callback(ended, process)
        endpoint = wait_for_ready(process, 60, log)
        (home,) = pathlib.Path(folder).glob("brume-simulation-*")
        running = Daemon(process, endpoint, str(home))
        yield running
        assert running.end_asked or process.poll() is None, "brumed ended during the tests"


def ended(process, seconds=20):
    """Asks a daemon to end; its exit code, or None when it had to be killed."""
    process.terminate()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


@contextlib.contextmanager
def started_real_daemon(*options, table=None):
    """A daemon that checks signatures: not simulated, so it needs root; no machine is ever launched by it. `table`: its operator's
    instance types."""
    if os.geteuid() != 0:
        pytest.skip("a daemon that is not a simulation needs root")
    home = tempfile.mkdtemp(prefix="brume-api-", dir="/tmp")
    os.chmod(home, 0o711)  # the users of machines pass through
    if table:
        pathlib.Path(home, "instance-types.tsv").write_text(table)
    with contextlib.ExitStack() as ending:
        ending.callback(shutil.rmtree, home, ignore_errors=True)
        # What outlives a daemon on the host: the route that holds its pool, and what answers for names.
        ending.callback(subprocess.run, [BIN / "brume", "--home", home, "down"], capture_output=True, timeout=120)
        log = ending.enter_context(log_of(home))
        process = subprocess.Popen(
            [BIN / "brumed", "--home", home, "--port", "0", "--accelerator", "tcg", "--verbose", *options], stdout=subprocess.PIPE, stderr=log
        )
        ending.callback(ended, process)
        running = Daemon(process, wait_for_ready(process, 60, log), home)
        output = running.brume("env")
        fields = dict(re.findall(r"^export (\w+)=(.*)$", output, re.MULTILINE))
        running.keys = Keys("", fields["AWS_ACCESS_KEY_ID"], fields["AWS_SECRET_ACCESS_KEY"])
        yield running
        assert process.poll() is None, "brumed ended during the tests"


def wait_until(condition, seconds=10):
    """What `condition` says as soon as it is true; fails when it has not been for that long."""
    deadline = time.monotonic() + seconds
    while not (said := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
    return said


def talk(endpoint, data, seconds=10):
    """Sends bytes, and returns all that comes back until the server closes."""
    where = urllib.parse.urlsplit(endpoint)
    with socket.create_connection((where.hostname, where.port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


@pytest.fixture(scope="session")
def daemon():
    with started_daemon() as running:
        yield running


@pytest.fixture
def ec2(daemon):
    """boto3 on an account in which there is nothing yet."""
    daemon.reset()
    return daemon.client()


@pytest.fixture
def old(daemon, ec2):
    """boto 2 speaking 2011-12-01, on the same account as `ec2`."""
    return daemon.old_client()


@pytest.fixture(scope="session")
def other_account(daemon):
    return daemon.create_account("other")


@pytest.fixture
def other(daemon, other_account):
    """boto3 on another, empty account."""
    daemon.reset(other_account)
    return daemon.client(keys=other_account)


@pytest.fixture
def query(daemon, ec2):
    return daemon.query


@pytest.fixture
def ami(ec2):
    """A starter image, as soon as it is available."""
    return wait_until(lambda: [one["ImageId"] for one in ec2.describe_images(Filters=[{"Name": "name", "Values": ["tiny"]}])["Images"] if one["State"] == "available"])[0]


@pytest.fixture
def in_state(ec2):
    """in_state("running", id, …): waits until all of these instances are, and describes them in that order."""

    def wait(state, *ids):
        def look():
            found = {one["InstanceId"]: one for one in instances_of(ec2.describe_instances(InstanceIds=list(ids)))}
            return all(one["State"]["Name"] == state for one in found.values()) and [found[each] for each in ids]

        return wait_until(look)

    return wait


@pytest.fixture
def launch(ec2, ami, in_state):
    """launch(parameter=…): one instance that runs."""

    def run(**parameters):
        made = ec2.run_instances(**{"ImageId": ami, "MinCount": 1, "MaxCount": 1, "InstanceType": "t2.micro", **parameters})
        return in_state("running", *(one["InstanceId"] for one in made["Instances"]))[0]

    return run


def instances_of(answer):
    return [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]


@pytest.fixture
def quota(daemon):
    """quota("vpcs", 5): how many the account may have, until the end of the test. A simulation has no quotas unless somebody asks for them."""
    said = []

    def limit(name, number, keys=None):
        account = (keys or daemon.keys).account
        daemon.brume("account", "limit", account, name, str(number))
        said.append((account, name))

    yield limit
    for account, name in said:
        daemon.brume("account", "limit", account, name, "default")


@pytest.fixture
def refused():
    """with refused("InvalidGroup.NotFound"): … for boto3 and boto 2 alike."""

    @contextlib.contextmanager
    def expect(code, status=400):
        try:
            yield
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == code, error.response["Error"]
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
            assert error.response["Error"]["Message"]
            assert error.response["ResponseMetadata"]["RequestId"]
        except boto.exception.BotoServerError as error:
            assert error.error_code == code, error.body
            assert error.status == status
            assert error.request_id
        else:
            pytest.fail(f"{code} expected, but it went well")

    return expect
