"""Who may speak: signatures of versions 4 and 2 against a daemon that checks them (OPS-080, OPS-082, OPS-084, NET-005)."""
import pathlib
import re
import stat
import urllib.error
import urllib.parse

import pytest
from boto.ec2.connection import EC2Connection

from conftest import NEW, OLD, ClassicConnection, Keys, started_real_daemon, wait_until
from signing import Signer, get, now, post, send, version_2

NOT_VALIDATED = "AWS was not able to validate the provided access credentials"


@pytest.fixture(scope="module")
def real():
    with started_real_daemon() as running:
        yield running


def is_ours(answer):
    return answer.status == 200 and answer.texts(".//regionName") == ["us-east-1"]


def test_stock_clients_are_let_in(real):
    assert real.client().describe_regions()["Regions"]
    assert real.client("sts").get_caller_identity()["Account"].isdigit()


@pytest.mark.parametrize("kind", [EC2Connection, ClassicConnection])
def test_boto_2_is_let_in(real, kind, refused):
    assert real.old_client(kind=kind).get_all_regions() and real.old_client(kind=kind).get_all_instances() == []
    with refused("AuthFailure", 401):
        real.old_client(Keys("", real.keys.key_id, "wrong"), kind).get_all_instances()


def test_boto_2_with_sha1(real):
    old = real.old_client()
    old._auth_handler._hmac_256 = None
    assert old.get_all_regions() and old.get_all_instances() == []


def test_version_4_by_hand(real):
    assert is_ours(Signer(real).post()) and is_ours(Signer(real).post(version=OLD))


@pytest.mark.parametrize("shift, allowed", [({"minutes": -4}, True), ({"minutes": 4}, True), ({"minutes": -6}, False), ({"minutes": 6}, False), ({"days": -1}, False)], ids=str)
def test_the_clock_of_version_4(real, shift, allowed):
    answer = Signer(real).post(time=now(**shift))
    assert is_ours(answer) if allowed else (answer.status, answer.code) == (400, "RequestExpired")


def alter_body(request):
    request["body"] += b"&RegionName.1=us-east-1"


def alter_signature(request):
    text = request["headers"]["Authorization"]
    request["headers"]["Authorization"] = text[:-1] + ("0" if text[-1] != "0" else "1")


def alter_host(request):
    request["headers"]["Host"] = "ec2.example.com"


def alter_target(request):
    request["target"] = "/?DryRun=true"


def replace(old, new):
    def change(request):
        assert re.search(old, request["headers"]["Authorization"])
        request["headers"]["Authorization"] = re.sub(old, new, request["headers"]["Authorization"])

    change.__name__ = f"{old} to {new}"
    return change


@pytest.mark.parametrize(
    "change",
    [alter_body, alter_signature, alter_host, alter_target, replace("us-east-1", "us-east-2"), replace("aws4_request", "aws3_request"),
     replace(r"/\d{8}/", "/20111201/"), replace("SignedHeaders=[^,]*,", "SignedHeaders=x-amz-date,"), replace("Credential=[^,]*,", "Credential=nonsense,"),
     replace("Signature=.*", ""), replace("AWS4-HMAC-SHA256", "Basic"), replace(";host;", ";host;host;"),
     replace("Credential=[^/]*", "Credential="), replace("Signature=.*", "Signature=" + "é" * 32)],
    ids=lambda change: change.__name__,
)
def test_whatever_is_altered_is_refused(real, change):
    answer = Signer(real).post(change=change)
    assert (answer.status, answer.code) == (401, "AuthFailure") and answer.texts(".//Message") == [NOT_VALIDATED]
    assert answer.texts("RequestID")[0]


def test_wrong_and_unknown_keys(real):
    for keys in (Keys("", real.keys.key_id, "x" * 40), Keys("", "AKIAIOSFODNN7EXAMPLE", real.keys.secret), Keys("", "x" * 3000, "x")):
        assert Signer(real, keys).post().code == "AuthFailure"
        assert get(real, version_2(real, keys=keys)).code == "AuthFailure"


def test_sts_has_its_own_words(real):
    def ask(keys=None, **more):
        return Signer(real, keys, service="sts").post(version="2011-06-15", Action="GetCallerIdentity", **more)

    assert ask().status == 200
    wrong, unknown = ask(Keys("", real.keys.key_id, "x")), ask(Keys("", "AKIAIOSFODNN7EXAMPLE", "x"))
    assert (wrong.status, wrong.code) == (403, "SignatureDoesNotMatch") and wrong.tree.tag == "ErrorResponse"
    assert (unknown.status, unknown.code) == (403, "InvalidClientTokenId")
    assert ask(time=now(minutes=-10)).code == "SignatureDoesNotMatch"
    nobody = send(real.endpoint, target="/?Action=GetCallerIdentity&Version=2011-06-15")
    assert (nobody.status, nobody.code) == (403, "MissingAuthenticationToken")


def test_a_key_that_is_deleted_opens_nothing(real):
    account = real.create_account("keys")
    assert is_ours(Signer(real, account).post())
    output = real.brume("account", "add-key", account.account)
    second = re.findall(r"^access key +(\S+)\nsecret +(\S+)", output, re.MULTILINE)[-1]
    real.brume("account", "delete-key", account.account, account.key_id)
    assert Signer(real, account).post().code == "AuthFailure" and get(real, version_2(real, keys=account)).code == "AuthFailure"
    assert is_ours(Signer(real, Keys(account.account, *second)).post())


def test_nobody(real):
    answer = send(real.endpoint, target=f"/?Action=DescribeRegions&Version={NEW}")
    assert (answer.status, answer.code) == (400, "MissingParameter") and "AWSAccessKeyId" in answer.texts(".//Message")[0]
    assert send(real.endpoint).code == "MissingParameter"
    basic = send(real.endpoint, target=f"/?Action=DescribeRegions&Version={NEW}", headers={"Authorization": "Basic eDp4"})
    assert (basic.status, basic.code) == (401, "AuthFailure")


def test_presigned(real):
    signer = Signer(real)
    answer = send(real.endpoint, target=signer.presigned().removeprefix(real.endpoint))
    assert is_ours(answer)

    def refused_as(url, code):
        return send(real.endpoint, target=url.removeprefix(real.endpoint)).code == code

    assert refused_as(signer.presigned(expires=60, time=now(seconds=-90)), "RequestExpired")
    assert is_ours(send(real.endpoint, target=signer.presigned(expires=3600, time=now(minutes=-30)).removeprefix(real.endpoint)))
    assert refused_as(signer.presigned(time=now(minutes=10)), "RequestExpired")
    assert refused_as(signer.presigned() + "&DryRun=true", "AuthFailure")
    assert refused_as(signer.presigned().replace("X-Amz-Expires=60", "X-Amz-Expires=600"), "AuthFailure")
    for expires in (0, 604801, -5):
        assert refused_as(signer.presigned(expires=expires), "AuthFailure")
    assert refused_as(signer.presigned().replace("X-Amz-Signature=", "X-Amz-Nothing="), "AuthFailure")
    by_boto3 = real.client().generate_presigned_url("describe_regions", {"DryRun": False}, ExpiresIn=60, HttpMethod="GET")
    assert is_ours(send(real.endpoint, target=by_boto3.removeprefix(real.endpoint)))


@pytest.mark.parametrize("digest", ["HmacSHA256", "HmacSHA1"])
@pytest.mark.parametrize("method, way", [("GET", get), ("POST", post)], ids=["GET", "POST"])
def test_version_2(real, digest, method, way):
    assert is_ours(way(real, version_2(real, method, digest)))
    odd = version_2(real, method, digest, **{"Filter.1.Name": "region-name", "Filter.1.Value.1": "us-*", "Filter.1.Value.2": "é ~+/&=*%"})
    assert is_ours(way(real, odd))
    # Altered after it was signed, with another verb, and encoded twice.
    assert way(real, {**version_2(real, method, digest), "DryRun": "true"}).code == "AuthFailure"
    assert way(real, version_2(real, "PUT", digest)).code == "AuthFailure"
    signed = version_2(real, method, digest)
    assert way(real, {**signed, "Signature": urllib.parse.quote(signed["Signature"], safe="")}).code == "AuthFailure"


@pytest.mark.parametrize("shift, allowed", [({"minutes": -4}, True), ({"minutes": 4}, True), ({"minutes": -6}, False), ({"minutes": 6}, False)], ids=str)
def test_the_clock_of_version_2(real, shift, allowed):
    answer = get(real, version_2(real, Timestamp=now(**shift).strftime("%Y-%m-%dT%H:%M:%SZ")))
    assert is_ours(answer) if allowed else answer.code == "RequestExpired"


def test_expires_of_version_2(real):
    def until(**shift):
        return get(real, version_2(real, Timestamp=None, Expires=now(**shift).strftime("%Y-%m-%dT%H:%M:%SZ")))

    assert is_ours(until(minutes=1)) and is_ours(until(hours=1)) and until(seconds=-2).code == "RequestExpired"


@pytest.mark.parametrize(
    "code, fields",
    [
        ("MissingParameter", {"SignatureVersion": None}),
        ("MissingParameter", {"SignatureMethod": None}),
        ("MissingParameter", {"Timestamp": None}),
        ("MissingParameter", {"AWSAccessKeyId": None}),
        ("InvalidParameterValue", {"SignatureVersion": "1"}),
        ("InvalidParameterValue", {"SignatureMethod": "HmacMD5"}),
        ("InvalidParameterValue", {"Timestamp": "yesterday"}),
        ("InvalidParameterCombination", {"Expires": "2040-01-01T00:00:00Z"}),
    ],
    ids=str,
)
def test_form_of_version_2(real, code, fields):
    assert get(real, version_2(real, **fields)).code == code


def test_without_the_port_in_what_is_signed(real):
    assert is_ours(get(real, version_2(real, host=urllib.parse.urlsplit(real.endpoint).hostname)))
    assert get(real, version_2(real, host="ec2.amazonaws.com")).code == "AuthFailure"


def test_a_security_token_that_nobody_issued(real):
    """Keys are long-term keys here: a session token beside one is refused, however it comes."""
    assert Signer(real, token="FwoGZXIvYXdzEXAMPLE").post().code == "AuthFailure"
    assert get(real, version_2(real, SecurityToken="FwoGZXIvYXdzEXAMPLE/+=")).code == "AuthFailure"
    url = Signer(real, token="FwoGZXIvYXdzEXAMPLE").presigned()
    assert send(real.endpoint, target=url.removeprefix(real.endpoint)).code == "AuthFailure"
    sts = Signer(real, service="sts", token="FwoGZXIvYXdzEXAMPLE").post(version="2011-06-15", Action="GetCallerIdentity")
    assert (sts.status, sts.code) == (403, "InvalidClientTokenId")


@pytest.mark.parametrize("service", ["execute-api", "foo", "EC2"])
def test_a_signature_for_another_service(real, service):
    answer = Signer(real, service=service).post()
    assert (answer.status, answer.code) == (401, "AuthFailure")
    assert answer.texts(".//Message") == ["Credential should be scoped to correct service: 'ec2'."]


def test_a_signature_for_another_region(real):
    answer = Signer(real, region="eu-west-1").post()
    assert (answer.status, answer.code) == (401, "AuthFailure")
    sts = Signer(real, service="sts", region="eu-west-1").post(version="2011-06-15", Action="GetCallerIdentity")
    assert (sts.status, sts.code) == (403, "SignatureDoesNotMatch") and sts.texts(".//Message") == ["Credential should be scoped to a valid region, not 'eu-west-1'."]


def test_a_request_may_be_repeated(real):
    """An SDK that got no answer sends the same again."""
    url = Signer(real).presigned().removeprefix(real.endpoint)
    assert is_ours(send(real.endpoint, target=url)) and is_ours(send(real.endpoint, target=url))


def test_no_reset_and_no_pretending(real):
    with pytest.raises(urllib.error.HTTPError) as caught:
        real.reset()
    assert caught.value.code == 403
    assert "SIMULATION" not in real.brume("status")


def test_secrets_stay_in_files_of_0600(real):
    account = real.create_account("secret")
    real.client(keys=account).create_key_pair(KeyName="audited")
    audit = pathlib.Path(real.home, "audit/audit.jsonl")
    wait_until(lambda: account.key_id in audit.read_text())
    secret = account.secret.encode()
    holding = []
    for path in pathlib.Path(real.home).rglob("*"):
        if path.is_file() and secret in path.read_bytes():
            holding.append(path.name)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert holding and all(name.startswith("state.db") for name in holding)
    log = pathlib.Path(real.home, "log").read_text() + audit.read_text()
    assert account.secret not in log and real.keys.secret not in log
    # Nor is any part of an Authorization header in it, presigned ones included.
    assert "Signature=" not in log and "X-Amz-Signature" not in log


def test_env_names_an_account(real):
    account = real.create_account("named")
    output = real.brume("env", "--account", account.account)
    assert f"AWS_ACCESS_KEY_ID={account.key_id}\n" in output and f"AWS_SECRET_ACCESS_KEY={account.secret}\n" in output
    assert f"AWS_ENDPOINT_URL={real.endpoint}\n" in output and "AWS_DEFAULT_REGION=us-east-1\n" in output
    assert f"AWS_ACCESS_KEY_ID={real.keys.key_id}\n" in real.brume("env")
