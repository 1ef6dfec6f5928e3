"""Files and functions that fit into a head, finished words, one form, no secrets."""
import ast
import re
import shutil
import subprocess

import pytest

from source_tree import ROOT, complain, cpp_files, every_file, hand_written, read

FILE_LINES = 600
FUNCTION_LINES = 60
# "path" or "path:function", and why it may be longer.
LONGER = {
    "docs/requirements.md": "a table: a requirement a line",
    "src/state/records/instances.hpp:fields": "a list: a member of the record a line",
    "images/check:check": "one walk through a booted machine: each step needs the one before",
}
# Calls that block a thread for a fixed time or start a shell, and why they may.
WAITS = {
    "src/cli/up.cpp": "the command polls the daemon and shows progress meanwhile",
    "src/cli/images.cpp": "the command polls the daemon and shows progress meanwhile",
}


def blank_text(text):
    """C++ with strings, characters, comments and preprocessor lines made blank; lines stay where they are."""
    pattern = re.compile(r'''//[^\n]*|/\*.*?\*/|R"(?P<mark>[^()\s]{0,16})\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'|^[ \t]*\#(?:\\\n|[^\n])*''',
                         re.S | re.M)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def cpp_functions(text):
    """(name, first line, lines) of the functions outside of functions; a lambda belongs to the function that it is in."""
    text = blank_text(text)
    stack = []
    head = 0
    for at in (match.start() for match in re.finditer(r"[{};]", text)):
        if text[at] == "{":
            before = text[head:at]
            outside = all(kind == "scope" for kind, _, _ in stack)
            if not outside:
                stack.append(("inside", "", 0))
            elif re.search(r"\b(namespace|class|struct|union|enum|extern)\b", before) and not re.search(r"\)[^()]*$", before):
                stack.append(("scope", "", 0))
            elif "(" in before:
                name = re.search(r"([\w:~]+|operator\S+)\s*\(", before)
                stack.append(("function", name[1] if name else "?", head + len(before) - len(before.lstrip())))
            else:
                stack.append(("inside", "", 0))
            head = at + 1
        elif text[at] == "}":
            kind, name, begin = stack.pop() if stack else ("inside", "", 0)
            if kind == "function":
                yield name, text.count("\n", 0, begin) + 1, text.count("\n", begin, at) + 1
            head = at + 1
        elif not any(kind == "function" for kind, _, _ in stack):
            head = at + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def shell_functions(text):
    for match in re.finditer(r"^(\w+)\(\) \{\n.*?^\}", text, re.S | re.M):
        yield match[1], text.count("\n", 0, match.start()) + 1, match[0].count("\n") + 1


def functions_of(path):
    text = read(path)
    if path.suffix in (".cpp", ".hpp"):
        return cpp_functions(text)
    if path.suffix == ".py" or re.match(r"#!.*python", text):
        return python_functions(text)
    return shell_functions(text) if re.match(r"#!.*sh\b", text) else ()


def test_files_are_short():
    complain(f"A file has at most {FILE_LINES} lines.",
             [f"{path}: {lines}" for path in hand_written() if (lines := read(path).count("\n")) > FILE_LINES and str(path) not in LONGER])


def test_functions_are_short():
    complain(f"A function has at most {FUNCTION_LINES} lines.",
             [f"{path}:{line}: {name} has {lines}" for path in hand_written() for name, line, lines in functions_of(path)
              if lines > FUNCTION_LINES and f"{path}:{name}" not in LONGER])


def test_the_counter_of_functions_counts():
    text = ('namespace a {\nstruct S {\n  int f() const { return g({1, 2}); }\n  S() : x{1}, y(2) {\n    "{";\n  }\n};\n'
            'const int table[] = {1,\n2};\nvoid S::long_one(int a) {\n  if (a) {\n    // {\n  }\n}\n}\n')
    assert [(name, lines) for name, _, lines in cpp_functions(text) if name not in ("y", "S")] == [("f", 1), ("S::long_one", 5)]


def test_nothing_is_left_for_later():
    words = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b|(?i:not[ _]implemented)")
    status_text = re.compile(r'case 501: return "Not Implemented";')  # HTTP's own name of 501
    complain("What is not done is an issue, not a note in the tree.",
             [f"{path}:{number}: {line.strip()[:100]}" for path in hand_written() if path.name != "size_test.py"
              for number, line in enumerate(read(path).splitlines(), 1) if words.search(line) and not status_text.search(line)])


def test_the_daemon_neither_sleeps_nor_calls_a_shell():
    calls = re.compile(r"\b(system|popen|sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\(")
    complain("Wait for the thing itself, and start programs with base/process.hpp.",
             [f"src/{path.relative_to('src')}:{number}: {line.strip()}" for path in cpp_files("src") if str(path) not in WAITS
              for number, line in enumerate(blank_text(read(path)).splitlines(), 1) if calls.search(line)])


def test_awaited_expressions_have_no_aggregate_temporaries():
    """g++ 12 destroys them twice."""
    complain("Inside a co_await expression there are only names, calls and literals.",
             [f"{path}:{number}: {line.strip()}" for path in cpp_files("src")
              for number, line in enumerate(blank_text(read(path)).splitlines(), 1) if re.search(r"\bco_await\b.*[{\[]", line)])


@pytest.mark.skipif(not shutil.which("clang-format"), reason="clang-format is not installed")
def test_clang_format_has_nothing_to_change():
    files = [str(path) for path in cpp_files()]
    halves = [subprocess.Popen(["clang-format", "--dry-run", "--Werror", *files[start::2]], cwd=ROOT, stderr=subprocess.PIPE, text=True)
              for start in (0, 1)]
    wrong = [match[1] for half in halves for match in re.finditer(r"^(\S+?):\d+:\d+: error", half.communicate()[1], re.M)]
    complain("'make format' puts these into form.", sorted(set(wrong)))


def test_there_are_no_secrets():
    secret = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\\n\"]*[A-Za-z0-9+/]{40}"  # a key, not the words around one
                        r"|\b(?:AKIA|ASIA)(?!\w*EXAMPLE)[A-Z0-9]{16}\b"
                        r"|(?i:aws_secret_access_key)\s*[=:]\s*[\"']?(?!\w*EXAMPLE)[A-Za-z0-9/+]{40}\b")
    complain("Keys belong to their owners, not into the tree.",
             [f"{path}: {found[0][:30]}" for path in hand_written() if (found := secret.search(read(path)))] +
             [path for path in every_file() if path.suffix in (".pem", ".key", ".p12", ".ppk") or path.name.startswith("id_")])


def test_file_names_are_snake_case():
    complain("Sources are named like_this.cpp.",
             [path for path in every_file() if path.suffix in (".cpp", ".hpp", ".py") and not re.fullmatch(r"[a-z][a-z0-9_]*", path.stem)])
