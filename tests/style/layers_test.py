"""Who may include whom, and which files pay for a heavy library (docs/architecture.md)."""
import concurrent.futures
import hashlib
import pathlib
import re
import subprocess
import sys
import time
import warnings

from source_tree import ROOT, complain, cpp_files, read

# A layer, and the layers it may include besides itself. Everything that is not named is above or beside it.
MAY_INCLUDE = {
    "base": set(),
    "wire": {"base"},
    "state": {"base"},
    "domain": {"base", "state"},
    "policy": {"base"},
    "engines/compute": {"base"},
    "engines/block": {"base"},
    "engines/host": {"base"},
    "engines/network": {"base", "engines/host"},
    "service": {"base", "domain", "wire", "state"},
    "ec2": {"base", "domain", "wire", "state", "service"},
    "sts": {"base", "domain", "wire", "state", "service"},
    "ssm": {"base", "domain", "wire", "state", "service", "ec2"},
    "quotas": {"base", "domain", "wire", "state", "service", "ec2"},
    "ebs": {"base", "domain", "wire", "state", "service", "ec2"},
    "control": {"base", "domain", "state", "engines/compute", "engines/block", "engines/network"},
    "guest": {"base", "domain", "wire", "state"},
    "daemon": {"base", "domain", "wire", "state", "service", "ec2", "sts", "ssm", "quotas", "ebs", "control", "guest", "engines/compute", "engines/block", "engines/network"},
    "cli": {"base"},
}
WHY = {
    "base": "knows nothing above it",
    "wire": "turns bytes into values and knows nothing of what they are about",
    "policy": "reads and decides documents; it knows neither records nor requests nor services",
    "state": "keeps records for every layer above it and calls none",
    "engines/compute": "engines move the world, know neither records nor each other; src/control brings them together",
    "engines/block": "engines move the world, know neither records nor each other; src/control brings them together",
    "engines/host": "is what engines share of the host they run on: child processes and namespaces",
    "engines/network": "engines move the world, know neither records nor each other; src/control brings them together",
    "domain": "says what EC2's things are, by records alone; it knows neither requests nor the host",
    "service": "takes requests and hands them to actions; it knows no service by name",
    "ec2": "decides and never touches the world: nothing but src/control calls an engine",
    "sts": "decides and never touches the world: nothing but src/control calls an engine",
    "ssm": "names what EC2 has; it decides and never touches the world",
    "quotas": "shows what EC2 counts; it decides and never touches the world",
    "ebs": "decides who may have which bytes; control fetches them",
    "control": "makes the world as the records say; it knows no requests and no answers",
    "guest": "answers instances from the records, without the services and the engines",
    "cli": "is a client like any other: it speaks to the daemon by HTTP only",
}

# A library, and the files that may include it. It costs seconds in every file that does, and one file per library keeps it replaceable.
HEAVY = {
    r"boost/(asio|beast)": [
        "wire/http/connection.cpp", "wire/http/connection.hpp", "wire/http/connection_answer.cpp", "wire/http/connection_body.cpp",
        "wire/http/connection_channel.cpp", "wire/http/endpoint.cpp", "wire/http/endpoint.hpp", "wire/http/parser.cpp", "wire/http/server.cpp",
        "wire/http/worker.cpp", "wire/http/worker.hpp"],
    r"boost/json": [
        "cli/accounts.cpp", "cli/admin_client.cpp", "cli/admin_client.hpp", "cli/images.cpp", "cli/instances.cpp", "cli/storage.cpp", "cli/up.cpp", "daemon/admin.cpp", "daemon/built_image.cpp",
        "engines/block/block_access.cpp", "engines/block/image_import.cpp", "engines/block/stream_job.cpp", "engines/compute/disk_counters.cpp",
        "engines/compute/machine_disks.cpp",
        "engines/compute/qemu_arguments.cpp", "engines/compute/qmp_message.cpp",
        "engines/network/vpc/model_files.cpp", "engines/network/nft/nft.cpp", "engines/network/nft/nft_both.cpp", "engines/network/nft/nft_expressions.hpp",
        "engines/network/nft/nft_rules.cpp", "engines/network/nft/nft_rules6.cpp", "policy/json_tree.cpp", "state/json_fields.cpp", "wire/codec/json_body.cpp"],
    r"boost/(?!asio|beast|json)": [],
    r"openssl/": [
        "base/crypto.cpp", "base/digests.cpp", "base/key_internals.hpp", "base/key_material.cpp", "base/key_parsing.cpp", "base/openssl.hpp",
        "base/sealing.cpp", "base/self_signed.cpp", "guest/identity_signer.cpp"],
    r"CLI/": ["cli/main/brume.cpp", "daemon/command_line.cpp"],
    r"sqlite3\.h": ["state/sqlite_log.cpp"],
    r"jpeglib": ["base/picture.cpp"],
    r"zlib\.h": ["wire/inflate.cpp"],
    r"pugixml": ["cli/ec2_client.cpp"],
    r"regex$|iostream$": [],  # slow to compile, slow to run, and fmt and hand-written readers do it here
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def layer_of(path):
    """'engines/compute' of engines/compute/x.hpp, 'base' of base/x.hpp."""
    parts = pathlib.PurePosixPath(path).parts
    return "/".join(parts[:2]) if parts[0] == "engines" else parts[0]


def includes():
    """Each include in src: (file below src, line, '<' or '"', what)."""
    for path in cpp_files("src"):
        text = read(path)
        for match in INCLUDE.finditer(text):
            yield path.relative_to("src").as_posix(), text.count("\n", 0, match.start()) + 1, match[1], match[2]


def test_a_layer_includes_only_the_layers_below_it():
    broken = []
    for file, line, quote, included in includes():
        layer = layer_of(file)
        if quote != '"':
            continue
        if layer not in MAY_INCLUDE:
            broken.append(f"src/{file}:{line}: src/{layer} is no layer: give it a row in {pathlib.Path(__file__).name}")
        elif "/" not in included:
            broken.append(f'src/{file}:{line}: "{included}": includes are written from src, as in "base/text.hpp"')
        elif layer_of(included) != layer and layer_of(included) not in MAY_INCLUDE[layer]:
            allowed = ", ".join(sorted(MAY_INCLUDE[layer])) or "no other layer"
            broken.append(f'src/{file}:{line}: "{included}": src/{layer} may include {allowed}; it {WHY.get(layer, "")}')
    complain("A layer knows only the ones below it.", broken)


def test_only_control_and_the_daemon_know_engines():
    complain("Nothing but src/control calls an engine (src/daemon only makes them).",
             [f"{layer}: {below}" for layer, below in MAY_INCLUDE.items()
              if layer not in ("control", "daemon") and any(name.startswith("engines/") and name != "engines/host" for name in below)])


def costs():
    """{file below src: {heavy library: by which include}}, through headers too: a file pays for what its headers include."""
    direct, below = {}, {}
    for file, line, quote, included in includes():
        if quote == '"':
            below.setdefault(file, []).append((line, included))
        for library in HEAVY:
            if quote == "<" and re.match(library, included):
                direct.setdefault(file, {})[library] = f"{line}: <{included}>"
    changed = True
    while changed:
        changed = False
        for file, includes_of_file in below.items():
            for line, included in includes_of_file:
                for library in direct.get(included, {}):
                    if library not in direct.setdefault(file, {}):
                        direct[file][library] = f'{line}: "{included}" brings it'
                        changed = True
    return direct


def test_heavy_libraries_stay_in_their_files():
    complain("A heavy library is included, itself or by a header, only by the files that layers_test.py lists for it.",
             [f"src/{file}:{how}: {library} belongs into {', '.join(HEAVY[library]) or 'no file'}"
              for file, libraries in costs().items() for library, how in libraries.items() if file not in HEAVY[library]])


def test_the_lists_of_heavy_files_are_current():
    found = costs()
    complain("Listed in layers_test.py, but does not include the library any more.",
             [f"{file}: {library}" for library, files in HEAVY.items() for file in files if library not in found.get(file, {})])


def test_headers_say_what_they_are_for():
    broken = []
    for path in cpp_files():
        if path.suffix == ".hpp":
            lines = read(path).splitlines() or [""]
            if not re.match(r"// \S.{15}|/\*\*? \S", lines[0]):
                broken.append(f"{path}:1: begins with a comment that says what the thing is for")
            if "#pragma once" not in lines:
                broken.append(f"{path}: has no #pragma once")
    complain("Headers explain themselves.", broken)


def test_headers_stand_alone():
    """Each header compiles by itself: it names what it uses. What was found good stays known by the hash of the header and all it
    includes from here, under build/style. A first run in a new clone stops after SECONDS, the next one goes on."""
    seconds = 30
    generated = ROOT / "build/style/generated"
    subprocess.run([sys.executable, "-B", "models/generate.py", "--out", generated], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    good = ROOT / "build/style/headers"
    good.mkdir(parents=True, exist_ok=True)
    texts = {}

    def text(name):
        if name not in texts:
            places = [place / name for place in (ROOT / "src", generated) if (place / name).is_file()]
            texts[name] = places[0].read_text() if places else ""
        return texts[name]

    def key(name):
        seen, left = set(), [name]
        while left:
            one = left.pop()
            if one not in seen:
                seen.add(one)
                left += [included for quote, included in INCLUDE.findall(text(one)) if quote == '"']
        return good / hashlib.sha256("\0".join(text(one) for one in sorted(seen)).encode()).hexdigest()

    headers = [path for path in cpp_files("src") if path.suffix == ".hpp"]
    unknown = [path for path in headers if not key(path.relative_to("src").as_posix()).exists()]
    unknown.sort(key=lambda path: -(ROOT / path).stat().st_mtime)
    begun, left_out = time.monotonic(), []

    def check(path):
        if time.monotonic() - begun > seconds:
            left_out.append(path)
            return None
        command = ["g++", "-std=c++20", "-fsyntax-only", "-w", "-x", "c++", "-I", "src", "-I", generated, path]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if run.returncode == 0:
            key(path.relative_to("src").as_posix()).touch()
            return None
        return f"{path}:\n" + "\n".join(line for line in run.stderr.splitlines() if "error" in line)[:500]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        complain("A header includes what it uses.", [wrong for wrong in pool.map(check, unknown) if wrong])
    if left_out:
        warnings.warn(f"{len(headers) - len(left_out)} of {len(headers)} headers are known to stand alone; the next run goes on")


def test_every_folder_in_src_is_a_layer():
    folders = {layer_of(path.relative_to("src").as_posix()) for path in cpp_files("src")}
    assert folders == set(MAY_INCLUDE), "src has other folders than layers_test.py has layers"


def test_the_readme_of_a_layer_says_what_it_may_include():
    wrong = []
    for layer, below in MAY_INCLUDE.items():
        said = re.search(r"\*\*May include:\*\* (.*?) \*\*(?:Used by|Called by|May be called from)", read(f"src/{layer}/README.md"), re.S)
        if said is None or "`" not in said[1] or layer == "daemon":  # "nothing of ours", "every folder but …"
            continue
        named = set(re.findall(r"`([^`]+)`", said[1]))
        if "engines" in named:
            named = named - {"engines"} | {other for other in MAY_INCLUDE if other.startswith("engines/") and other != "engines/host"}
        if named != below:
            wrong.append(f"src/{layer}/README.md names {sorted(named)}, the test has {sorted(below)}")
    complain("A layer's README names the layers it may include.", wrong)


def test_what_a_client_asks_for_is_changed_with_the_right_to_it():
    """Context::transact asks for the right once more, in the transaction (decision 17)."""
    actions = ("ec2", "sts", "ssm", "quotas", "ebs")
    complain("Handlers change things with context.transact.",
             [path for path in cpp_files("src") if path.parts[1] in actions and re.search(r"services\.store\.(transact|submit)", read(path))])
