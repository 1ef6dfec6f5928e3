"""Release builds compile the files of a folder in groups (brume_unity in cmake/Compiler.cmake), so what a file has for itself alone has a
name that no other file of the folder uses for its own."""
import collections
import re

from size_test import blank_text
from source_tree import complain, cpp_files, read

# Overloads that templates find by their argument's type, whatever file they are in.
OVERLOADED = {"write"}
# Macros that look like functions.
MACROS = {"TEST", "TEST_F", "TEST_P", "MATCHER", "MATCHER_P", "INSTANTIATE_TEST_SUITE_P", "static_assert"}


def declared_name(text):
    """What a declaration at the top of a namespace declares; None for what may stand in several files."""
    text = re.sub(r"^template\s*<[^{}]*?>\s*(?=\w|\[)", "", text)
    if re.match(r"namespace\b|using\b", text):
        return None  # an alias may be declared again if it says the same
    kind = re.search(r"\b(?:struct|class|enum(?:\s+class)?|union)\s+(\w+)", text)
    if kind and "(" not in text:
        return kind[1]
    head = text.split("=")[0]
    function = re.search(r"([\w~]+)\s*\(", head)
    if function:
        return None if function[1] in MACROS | {"operator"} else function[1]
    variable = re.search(r"(\w+)\s*(\[[^\]]*\])*\s*$", head)
    return variable and variable[1]


def own_names(text):
    """The names at the top of a file's anonymous namespaces."""
    text = blank_text(text)
    stack, head = [], 0
    for match in re.finditer(r"[{};]", text):
        before = text[head:match.start()].strip()
        outside = bool(stack) and stack[-1] == "anonymous"
        if match[0] == "{":
            if re.search(r"\bnamespace\s*$", before):
                stack.append("anonymous")
            else:
                stack.append("named" if re.search(r"\bnamespace\b[\w\s:]*$", before) else "block")
        elif match[0] == "}" and stack:
            stack.pop()
        if outside and before and match[0] != "}" and (match[0] == ";" or stack[-1] == "block"):
            if name := declared_name(before):
                yield name
        head = match.end()


def test_names_of_files_are_unique_in_their_folder():
    folders = collections.defaultdict(lambda: collections.defaultdict(set))
    for path in cpp_files("src", "tests"):
        if path.suffix == ".cpp" and "fuzz" not in path.parts and (path.parts[0] == "src" or "unit" in path.parts):
            for name in own_names(read(path)):
                folders[path.parent][name].add(path.name)
    complain("Two files of a folder use one name for something of their own: a release build compiles them together.",
             [f"{folder}: {name} in {', '.join(sorted(files))}" for folder, names in folders.items() for name, files in sorted(names.items())
              if len(files) > 1 and name not in OVERLOADED])


def test_the_reader_of_names_reads():
    text = ("namespace a {\nnamespace {\nusing Pairs = int;\nnamespace fs = std::filesystem;\nconstexpr int limit = 3;\nconstexpr auto pause = seconds(1);\nstruct S {\n  int f();\n};\n"
            "template <class T>\nbool g(T t) {\n  int inner = 0;\n  return t;\n}\nint table[] = {1};\n}\nint outside;\n}\n")
    assert list(own_names(text)) == ["limit", "pause", "S", "g", "table"]
