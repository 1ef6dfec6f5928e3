"""Documents that are checked: links lead somewhere, packages have a reason, the README's commands and the man pages' options exist."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in ROOT.rglob("*.md") if not {"build", ".git"} & set(path.relative_to(ROOT).parts))
MAN_PAGES = {"docs/man/brume.1.scd": "src/cli/main/brume.cpp", "docs/man/brumed.8.scd": "src/daemon/command_line.cpp"}


def without_code(text):
    text = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(    |\t).*$", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page):
    """As GitHub makes them of headings."""
    found = set()
    for heading in re.findall(r"^#+ +(.*?) *$", page.read_text(), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        found.add(words.replace(" ", "-"))
    return found


def listed_packages():
    lines = (ROOT / "packages.list").read_text().splitlines()
    return {line.strip() for line in lines if line.strip() and line[0] not in "#["}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place)):
            broken.append(target)
    assert not broken


def test_every_package_is_explained():
    rows = re.findall(r"^\| `([^`]+)` \| .+ \| .+ \|$", (ROOT / "docs/dependencies.md").read_text().split("## Not packages")[0], re.MULTILINE)
    assert listed_packages() - set(rows) == set(), "in packages.list, not in docs/dependencies.md"
    assert set(rows) - listed_packages() == set(), "in docs/dependencies.md, not in packages.list"
    assert len(rows) == len(set(rows)), "a package has two rows"


def test_the_two_commands_of_the_readme_are_targets():
    readme = (ROOT / "README.md").read_text()
    opening = readme.split("\n## ")[0]
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in ("up", "test"):
        assert re.search(rf"^    make {command}\b", opening, re.MULTILINE), f"the README does not open with 'make {command}'"
    named = set(re.findall(r"\bmake ([a-z-]+)\b", "\n".join(re.findall(r"^    .*|`make [^`]*`", readme, re.MULTILINE))))
    assert named - targets == set(), "no such target in the Makefile"


def options_of_program(source):
    return set(re.findall(r'(?:add_option|add_flag|set_config)\(\s*"(--[a-z-]+)"', (ROOT / source).read_text())) | {"--help"}


@pytest.mark.parametrize("page,source", MAN_PAGES.items(), ids=["brume", "brumed"])
def test_man_pages_have_every_option(page, source):
    entries = re.findall(r"^\*(?:-[a-z], )?(--[a-z-]+)\*", (ROOT / page).read_text(), re.MULTILINE)
    assert options_of_program(source) - set(entries) == set(), "not in the man page"
    assert set(entries) - options_of_program(source) == set(), "the program has no such option"


def test_documents_name_files_that_exist():
    """Paths of the tree in backquotes: a file that was moved is noticed."""
    missing = []
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        for path in re.findall(r"`((?:src|tests|models|images|tools|docs|bench)/[\w./-]+\.\w+)`", page.read_text()):
            # CONTRIBUTING's example names files that a reader is to make.
            if not (ROOT / path).exists() and "addresses" not in path and not subprocess.run(
                    ["git", "-C", ROOT, "check-ignore", "-q", path]).returncode == 0:
                missing.append(f"{page.relative_to(ROOT)}: {path}")
    assert not missing


def test_every_folder_of_src_has_a_readme():
    """What it is, who may call it, where to begin, on one screen."""
    wrong = []
    for folder in sorted({path.parent for path in (ROOT / "src").rglob("*.?pp")}):
        if folder.name in ("main", "records"):  # a program's main and the records: the folder above tells of them
            continue
        page = folder / "README.md"
        text = page.read_text() if page.exists() else ""
        if not 10 <= text.count("\n") <= 45 or not re.search(r"\*\*(Used|Called) by:\*\*|\*\*May be called from:\*\*", text) or "**Where to begin:**" not in text:
            wrong.append(str(page.relative_to(ROOT)))
    assert not wrong, "missing, longer than a screen, or without 'Used by' or 'Where to begin'"


def test_man_pages_are_well_formed():
    """What scdoc takes as indentation is a tab, and every page has the sections that man pages have."""
    for page in MAN_PAGES:
        text = (ROOT / page).read_text()
        assert re.match(r"[a-z]+\([18]\)\n", text)
        assert not re.search(r"^ +\S", text, re.MULTILINE), f"{page}: indented with blanks"
        for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"):
            assert f"\n# {section}\n" in text, f"{page}: {section}"


def number_of(source, pattern):
    found = re.search(pattern, (ROOT / source).read_text())
    assert found, f"{source} has no longer what the documents tell of: {pattern}"
    return int(found[1])


def test_figures_of_the_disks_room_are_the_codes():
    page = (ROOT / "docs/man/brume.1.scd").read_text()
    part = number_of("src/daemon/disk_room.cpp", r"low_part = (\d+)")
    least, most = (number_of("src/daemon/disk_room.cpp", rf"low_at_{which} = (\d+)ULL << 30") for which in ("least", "most"))
    full = number_of("src/engines/block/block_engine.hpp", r"least_free = (\d+)ULL << 20")
    assert part == 20 and f"nearly full below a twentieth of it, at least {least} GiB and at most {most} GiB; full below {full} MiB" in page


def test_the_hop_limit_is_told_as_it_is():
    """It is set on the answer that carries a token, and no page says otherwise."""
    assert "response.hop_limit" in (ROOT / "src/guest/metadata_service.cpp").read_text()
    for page in PAGES:
        assert not re.search(r"hop limit is (not|never) enforced", page.read_text(), re.IGNORECASE), page
