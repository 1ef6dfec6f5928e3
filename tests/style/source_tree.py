"""What the style tests look at: the project's hand-written files."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Made by tools, or somebody else's words: their length and form are not ours.
GENERATED = ("models/*.json", "models/*.tsv", "docs/coverage.md", "tests/golden/*/*", "tests/fuzz/corpus/*/*", "LICENSE")


def every_file():
    """All files of the tree as paths relative to it, without what builds leave behind."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in ("build", ".git", "__pycache__", ".pytest_cache"))
        for name in sorted(names):
            if not name.endswith(".pyc"):
                yield pathlib.Path(folder, name).relative_to(ROOT)


def hand_written():
    """Files with text that people wrote."""
    for path in every_file():
        if not any(path.match(pattern) for pattern in GENERATED) and (ROOT / path).is_file() and b"\0" not in (ROOT / path).read_bytes()[:4096]:
            yield path


def cpp_files(*folders):
    """The C++ files in these folders, all of them without names."""
    for path in every_file():
        if path.suffix in (".cpp", ".hpp") and (not folders or path.parts[0] in folders):
            yield path


def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def complain(rule, offences):
    """Fails with the rule and where it is broken; the assertion's own text would only say that a list is not empty."""
    offences = [str(offence) for offence in offences]
    if offences:
        raise AssertionError("\n".join([rule, *offences]))
