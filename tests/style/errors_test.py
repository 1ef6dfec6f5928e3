"""Every error code that the API may answer is raised by a test: one that names it."""
import re

from source_tree import complain, cpp_files, every_file, read

# An error: ApiError(400, "Code", …), {400, "Code", …}, with one code of two now and then.
THROWN = re.compile(r"[({]\s*[45]\d\d,\s*(?:[^\";{}]*\?\s*)?\"([A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)?)\"(?:\s*:\s*\"([A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)?)\")?")
FOLDERS = ("ec2", "sts", "ssm", "wire", "service")
# Codes that no test raises by their names, and why.
ELSEWHERE = {
    "InternalError": "it says that we made a mistake: a test that knew how would be a mistake to mend",
    "Unavailable": "tests/crash and tests/unit/store_test.cpp raise what it is made of: a full disk, a full queue",
}


def codes():
    """{code: files}"""
    found = {}
    for path in cpp_files("src"):
        if path.parts[1] not in FOLDERS:
            continue
        for match in THROWN.finditer(read(path)):
            for code in filter(None, match.groups()):
                found.setdefault(code, set()).add(str(path))
    return found


def words_of_tests():
    """What looks like a code in the tests, but not here."""
    words = set()
    for path in every_file():
        if path.parts[0] == "tests" and path.suffix in (".py", ".cpp") and path.parts[1] != "style":
            words |= set(re.findall(r"\b[A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)?\b", read(path)))
    return words


def test_the_codes_are_found():
    found = codes()
    assert len(found) > 100 and {"InvalidKeyPair.NotFound", "InvalidParameterValue", "Unsupported", "UnknownVolumeType"} < set(found)


def test_each_is_raised():
    words = words_of_tests()
    complain("No test raises this error (a test has to name its code):",
             [f"{code}: {', '.join(sorted(where))}" for code, where in sorted(codes().items()) if code not in words and code not in ELSEWHERE])
    complain("It is raised by a test, and needs no excuse:", sorted(set(ELSEWHERE) & words - {"InternalError", "Unavailable"}))  # named, not raised
