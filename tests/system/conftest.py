import pytest

from cloud import Cloud


@pytest.fixture(scope="session")
def cloud():
    """One real cloud for all tests; each test ends its own instances."""
    made = Cloud().start()
    yield made
    made.destroy()


@pytest.fixture(scope="session")
def tiny(cloud):
    return cloud.image("tiny", limit=300)


@pytest.fixture(scope="session")
def account(cloud):
    owner = cloud.account()
    owner.make_key()
    owner.open_port(owner.group(), 22)
    return owner


@pytest.fixture(autouse=True)
def ends_instances(request):
    yield
    if "cloud" in request.fixturenames or "account" in request.fixturenames:
        request.getfixturevalue("cloud").account().terminate_all()
