"""The minutes that the parts of tests/run may take are added up rightly, and stay under what the project allows itself."""
import re

from source_tree import read

MOST_MINUTES = 60


def test_the_shares_are_within_the_total():
    shares = {part: int(minutes) for part, minutes in re.findall(r"^(\w+) +(\d+)$", read("tests/budget"), re.MULTILINE)}
    total = shares.pop("total")
    assert sum(shares.values()) <= total <= MOST_MINUTES
    named = set(re.findall(r"\bpart (\w+) (?=tools|tests|ctest|run_pytest|unshare)", read("tests/run")))
    assert set(shares) == named, "tests/run has other parts than tests/budget"
