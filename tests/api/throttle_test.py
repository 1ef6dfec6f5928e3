"""Requests beyond an account's rate answer RequestLimitExceeded, and stock clients go on by themselves (INS-047)."""
import boto3
import botocore.config
import botocore.exceptions
import pytest

from conftest import REGION, instances_of, started_daemon, wait_until


@pytest.fixture(scope="module")
def held_back():
    with started_daemon("--throttle", "0.2") as daemon:
        yield daemon


def client_of(daemon, attempts, keys=None, service="ec2"):
    keys = keys or daemon.keys
    return boto3.client(service, endpoint_url=daemon.endpoint, region_name=REGION, aws_access_key_id=keys.key_id, aws_secret_access_key=keys.secret,
                        config=botocore.config.Config(retries={"max_attempts": attempts, "mode": "standard"}, read_timeout=30))


def refused_after(call, most):
    """How many went well before one was refused, and how it was."""
    for count in range(most):
        try:
            call()
        except botocore.exceptions.ClientError as error:
            return count, error.response
    return most, None


def test_each_account_has_its_own_buckets(held_back):
    keys, other = held_back.create_account("busy"), held_back.create_account("calm")
    busy, calm = client_of(held_back, 1, keys), client_of(held_back, 1, other)
    count, response = refused_after(busy.create_internet_gateway, 200)
    # Ten at once, and one more a second: how many exactly depends on how long it took.
    assert 10 <= count < 200 and response["Error"]["Code"] == "RequestLimitExceeded" and response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert len(busy.describe_internet_gateways()["InternetGateways"]) == count + 1  # what was refused was not done; reading is counted apart
    calm.create_internet_gateway()


def test_launches_that_are_refused_are_repeated_and_made_once(held_back):
    keys = held_back.create_account("launching")
    client = client_of(held_back, 10, keys)
    sent = []
    client.meta.events.register("before-send.ec2.RunInstances", lambda request, **_: sent.append(request.body))
    image = client.describe_images(Filters=[{"Name": "name", "Values": ["tiny"]}])["Images"][0]["ImageId"]
    for _ in range(3):
        client.run_instances(ImageId=image, MinCount=1, MaxCount=1)
    tokens = {next(part for part in (body if isinstance(body, bytes) else body.encode()).split(b"&") if part.startswith(b"ClientToken=")) for body in sent}
    assert len(sent) > 3 == len(tokens)  # a bucket of one: some were sent again, with the token that they had
    wait_until(lambda: len(instances_of(client.describe_instances())) == 3)


def test_nobody_is_held_back_unless_it_is_asked_for(daemon, ec2):
    assert refused_after(ec2.describe_regions, 150) == (150, None)
