"""The list of requirements (docs/requirements.md): complete, each number once, every named number resolved, every named test there."""
import re
from collections import Counter

from source_tree import ROOT, complain, hand_written, read

PAGE = "docs/requirements.md"
# How many numbers each chapter of the specification has.
CHAPTERS = {"AMI": 127, "INS": 112, "STO": 85, "MKT": 75, "NET": 100, "OPS": 144}
STATES = ("built", "partly", "to come", "not")
NUMBER = re.compile(rf"\b(?:{'|'.join(CHAPTERS)})-\d{{3}}\b")
ROW = re.compile(rf"^\| ({NUMBER.pattern}) \| (.+?) \| \*\*({'|'.join(STATES)})\*\*: (.+) \|$", re.MULTILINE)


def rows():
    return [match.groups() for match in ROW.finditer(read(PAGE))]


def capabilities():
    table = read(PAGE).split("| capability | is |")[1].split("\n\n")[0]
    return set(re.findall(r"^\| ([a-z][A-Za-z ]+) \|", table, re.MULTILINE))


def named_tests(text):
    """(part, file, [names]) of what a row says shows it."""
    for part, file, names in re.findall(r"`(\w+)/(\w+\.(?:py|cpp))`((?: \w+,?)*)", text):
        yield part, file, re.findall(r"\w+", names)


def test_every_number_has_one_row():
    found = Counter(number for number, _, _, _ in rows())
    complain("Each number has one row.", [number for number, times in found.items() if times > 1])
    assert Counter(number[:3] for number in found) == CHAPTERS, "a chapter has more or fewer numbers than the specification"
    begun = [line.split("|")[1].strip() for line in read(PAGE).splitlines() if NUMBER.match(line[2:])]
    assert begun == [number for number, _, _, _ in rows()], "a row has not the form of the others"


def test_every_number_named_in_the_tree_has_a_row():
    listed = {number for number, _, _, _ in rows()}
    complain("A number that leads nowhere.",
             [f"{path}: {number}" for path in hand_written() for number in sorted(set(NUMBER.findall(read(path))) - listed)])


def test_what_is_built_names_its_test_and_what_is_not_says_why():
    broken = []
    known = capabilities()
    for number, _, state, text in rows():
        tests = list(named_tests(text))
        if (state in ("built", "partly")) != bool(tests):
            broken.append(f"{number}: {state}, with {len(tests)} tests")
        if state == "to come" and not set(text.split("; ")) <= known:
            broken.append(f"{number}: to come with {text}, which is no capability of the table")
        if state == "partly" and ". To come: " not in text and ". The rest: " not in text:
            broken.append(f"{number}: does not say what is missing")
    complain("A row says what shows it, what brings it, or why not.", broken)


def test_every_test_that_is_named_exists():
    broken = []
    for number, _, _, text in rows():
        for part, file, names in named_tests(text):
            places = list((ROOT / "tests" / part).rglob(file))
            if len(places) != 1:
                broken.append(f"{number}: {part}/{file} is {len(places)} files")
                continue
            source = places[0].read_text()
            form = r"^def test_{}\(" if file.endswith(".py") else r"^TEST\w*\(\w+, *{}\)"
            broken += [f"{number}: {part}/{file} has no {name}" for name in names if not re.search(form.format(name), source, re.MULTILINE)]
    complain("A test that was renamed or moved is named anew in docs/requirements.md.", broken)


def test_the_table_of_how_far_it_is_adds_up():
    counted = {chapter: Counter() for chapter in CHAPTERS}
    for number, _, state, _ in rows():
        counted[number[:3]][state] += 1
    shown = {match[1]: [int(figure) for figure in match[2].split("|")]
             for match in re.finditer(r"^\| \[[^\]]+: (\w{3})\]\([^)]*\) \| ([\d |]+) \|$", read(PAGE), re.MULTILINE)}
    assert shown == {chapter: [counted[chapter][state] for state in STATES] for chapter in CHAPTERS}
    total = re.search(r"^\| all (\d+) \| ([\d |]+) \|$", read(PAGE), re.MULTILINE)
    assert int(total[1]) == sum(CHAPTERS.values())
    assert [int(figure) for figure in total[2].split("|")] == [sum(one[state] for one in counted.values()) for state in STATES]
