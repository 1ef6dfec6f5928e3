"""The table of error codes (models/errors.tsv) is what the sources throw, code by code and status by status."""
import importlib.util
import sys

import pytest

from source_tree import ROOT, complain

sys.dont_write_bytecode = True
SPEC = importlib.util.spec_from_file_location("errors", ROOT / "models/errors.py")
errors = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(errors)


def test_the_table_is_what_is_thrown():
    complain("models/errors.py --write brings the table up to date; the source of a new code is filled in by hand.", errors.problems())


def test_codes_are_found():
    found = errors.thrown()
    assert len(found) > 200
    assert {("InvalidKeyPair.NotFound", 400), ("InsufficientInstanceCapacity", 500), ("VpcLimitExceeded", 400), ("NatGatewayNotFound", 400),
            ("InvalidVolume.NotFound", 400), ("AuthFailure", 401), ("AuthFailure", 400), ("Unsupported", 400)} <= found.keys()


def test_a_servers_error_has_a_servers_status():
    """Clients repeat a request by its status: what may succeed later is 500 or 503, what will not is 4xx."""
    of_server = ("Insufficient", "InternalError", "InternalServer", "Unavailable", "RequestLimitExceeded", "SlowDown")
    complain("Of the server, so 5xx; all else 4xx.",
             [f"{code} {status}" for code, status in errors.table()
              if (status >= 500) != (code.startswith(of_server) and "FreeAddresses" not in code or code == "NotImplemented")])


@pytest.mark.parametrize("service", ["ebs", "ssm", "servicequotas"])
def test_exceptions_of_a_model_are_in_it(service):
    session = pytest.importorskip("botocore.session")
    model = session.get_session().get_service_model({"servicequotas": "service-quotas"}.get(service, service))
    declared = {shape.error_code for shape in model.error_shapes} | {shape.name for shape in model.error_shapes}
    complain(f"botocore's model of {service} has the exception.", [code for (code, _), row in errors.table().items() if row[1] == service and code not in declared])


def test_a_change_is_noticed(monkeypatch):
    rows = errors.table()
    found = errors.thrown()
    monkeypatch.setattr(errors, "thrown", lambda: {**found, ("Brandnew", 400): {"launch"}, ("DependencyViolation", 409): {"vpcs"}})
    monkeypatch.setattr(errors, "table", lambda: {**rows, ("NeverThrown", 400): ["launch", "EC2", ""]})
    said = "\n".join(errors.problems())
    assert "Brandnew 400" in said and "DependencyViolation 409" in said and "NeverThrown 400: in the table" in said
