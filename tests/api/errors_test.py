"""Every error code that the API may answer has been answered to a test by a daemon, when all tests of this folder have run.

Each daemon logs what it refuses; that log is what is read here, last of all.
"""
import pathlib
import re

import pytest

import conftest

# An error: ApiError(400, "Code", …), {400, "Code", …}, with one code of two now and then.
THROWN = re.compile(r"[({]\s*[45]\d\d,\s*(?:[^\";{}]*\?\s*)?\"([A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)?)\"(?:\s*:\s*\"([A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)?)\")?")
OF_CAPACITY = re.compile(r"insufficient_capacity\(\s*\"(\w+)\"")  # the one place that makes these codes adds what stands around the noun
# The rows of src/ec2/accounts/quotas.cpp: {Quota::vpcs, "vpcs", 5, 5, false, "Code", …
QUOTA = re.compile(r"\{Quota::\w+, [^}]*?(?:true|false), \"([A-Z][A-Za-z]+)\"")
REFUSED = re.compile(r" service: request \S+ \S*: ([A-Z][A-Za-z.]+) ")
FOLDERS = ("ec2", "sts", "ssm", "quotas", "ebs", "wire", "service")
# What no daemon of this folder answers, and the test that raises it from the same code.
ELSEWHERE = {
    "AccessDenied": "tests/unit/wire/signature_test.cpp",
    "ActiveVpcPeeringConnectionPerVpcLimitExceeded": "tests/unit/ec2/limits_test.cpp",
    "AuthorizationHeaderMalformed": "tests/unit/wire/signature_test.cpp",
    "BadDigest": "tests/unit/wire/payload_test.cpp",
    "IncompleteBody": "tests/unit/wire/payload_test.cpp",
    "IncompleteSignature": "tests/unit/wire/signature_test.cpp",
    "IncompleteSignatureException": "tests/unit/wire/signature_test.cpp",
    "IncorrectModificationState": "tests/unit/ec2/volumes_test.cpp",
    "InternalServerException": "tests/unit/wire/rest_json_test.cpp",
    "InvalidAccessKeyId": "tests/unit/wire/signature_test.cpp",
    "InvalidArgument": "tests/unit/wire/payload_test.cpp",
    "InvalidDigest": "tests/unit/wire/payload_test.cpp",
    "InvalidToken": "tests/unit/wire/refusals_test.cpp",
    "MalformedTrailerError": "tests/unit/wire/payload_test.cpp",
    "MalformedXML": "tests/unit/wire/refusals_test.cpp",
    "MissingContentLength": "tests/unit/wire/payload_test.cpp",
    "NatGatewayLimitExceeded": "tests/unit/ec2/limits_test.cpp",
    "OutstandingVpcPeeringConnectionLimitExceeded": "tests/unit/ec2/limits_test.cpp",
    "RequestResourceCountExceeded": "tests/unit/service/front_door_test.cpp",
    "RequestTimeTooSkewed": "tests/unit/wire/signature_test.cpp",
    "RequestTimeout": "tests/unit/wire/payload_test.cpp",
    "SlowDown": "tests/unit/wire/refusals_test.cpp",
    "Throttling": "tests/unit/service/throttle_test.cpp",
    "ThrottlingException": "tests/unit/service/throttle_test.cpp",
    "UnauthorizedOperation": "tests/unit/ec2/inside_calls_test.cpp",
}
# What no test raises, and why.
UNRAISED = {
    "ConflictException": "two completions of one snapshot at the same instant",
    "InternalError": "it says that we made a mistake: a test that knew how would be a mistake to mend",
    "Unavailable": "a state that cannot be written: tests/unit/state/store_test.cpp makes its disk full, below the API",
}


def codes():
    """{code: files}"""
    found = {}
    for folder in FOLDERS:
        for path in sorted((conftest.ROOT / "src" / folder).rglob("*.cpp")):
            text = path.read_text()
            thrown = [code for match in THROWN.finditer(text) for code in filter(None, match.groups())]
            for code in thrown + QUOTA.findall(text) + [f"Insufficient{noun}Capacity" for noun in OF_CAPACITY.findall(text)]:
                found.setdefault(code, set()).add(str(path.relative_to(conftest.ROOT)))
    return found


def answered():
    texts = [*conftest.logs_kept, *(path.read_text(errors="replace") for path in conftest.log_files)]
    return {code for text in texts for code in REFUSED.findall(text)}


def test_the_codes_are_found():
    found = codes()
    assert len(found) > 100 and {"InvalidKeyPair.NotFound", "InvalidParameterValue", "Unsupported", "UnknownVolumeType", "InsufficientAddressCapacity"} < set(found)


def test_each_was_answered(request):
    ran = {item.path.name for item in request.session.items}
    if not {path.name for path in pathlib.Path(__file__).parent.glob("*_test.py")} <= ran:
        pytest.skip("asks what all tests of this folder raised: only when all of them run")
    seen = answered()
    silent = [f"{code}: {', '.join(sorted(where))}" for code, where in sorted(codes().items()) if code not in seen | ELSEWHERE.keys() | UNRAISED.keys()]
    assert not silent, "No daemon has answered this to any test:\n" + "\n".join(silent)
    excused = sorted(seen & (ELSEWHERE.keys() | UNRAISED.keys()))
    assert not excused, f"answered here, and need no excuse: {', '.join(excused)}"
    for code, file in ELSEWHERE.items():
        assert re.search(rf"\b{code}\b", (conftest.ROOT / file).read_text()), f"{file} does not name {code}"
