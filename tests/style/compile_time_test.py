"""What compiling costs, read from the release build's own log: no file over its budget, and brumed and brume together under theirs.

The log knows wall time, and on a busy machine that says too much. So it only raises a suspicion: what looks too slow there is compiled
once more, without ccache, and its CPU time decides. A file found good stays known (build/style/compile_time) until it is built again.
"""
import json
import pathlib
import resource
import shlex
import subprocess
import tempfile
import time
import warnings

import pytest

from source_tree import ROOT, complain, cpp_files, read

BUILD = ROOT / "build/release"
# A step compiles a group of up to eight files (brume_unity in cmake/Compiler.cmake).
FILE_SECONDS = 60
# What brumed and brume may take, and what all of it may, tests included, for each 1,000 lines of src, tests and bench. The build took 2,100 s
# for 77,000 lines before it was made of groups. On a quiet machine both are about two thirds of this. Whoever brings them down lowers them.
ALL_SECONDS = 800
SECONDS_PER_1000_LINES = 11.0
# Steps that are this quick came out of ccache.
CACHED_SECONDS = 0.4
# Longest that second looks may take in one run.
PATIENCE_SECONDS = 20
# "path of the source": why it may take longer.
SLOWER = {
}


@pytest.fixture(scope="module")
def steps():
    """{source: (seconds of wall time, command, identity of the build)} of every compilation that really took place."""
    log, database = BUILD / ".ninja_log", BUILD / "compile_commands.json"
    if not log.exists() or not database.exists():
        pytest.skip("there is no release build: tools/build release")
    built = {}
    for line in log.read_text().splitlines()[1:]:
        begin, end, stamp, output, command = line.split("\t")
        built[output] = ((int(end) - int(begin)) / 1000, stamp + command)
    found = {}
    for entry in json.loads(database.read_text()):
        command = shlex.split(entry["command"])
        output = entry.get("output") or command[command.index("-o") + 1]
        seconds, identity = built.get(output, (0, ""))
        # The precompiled headers are no files of ours.
        if seconds > CACHED_SECONDS and "cmake_pch" not in entry["file"]:
            found[source_name(entry["file"])] = (seconds, command, identity)
    if not found:
        pytest.skip("all of the release build came from ccache: nothing was measured")
    return found


def source_name(file):
    path = pathlib.Path(file)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def cpu_seconds(command):
    """The CPU time of compiling it once more, without ccache; twice the budget when that was not enough."""
    compiler = next(at for at, word in enumerate(command) if pathlib.Path(word).name in ("c++", "g++", "clang++"))
    command = command[compiler:]
    limit = 2 * FILE_SECONDS
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        command[command.index("-o") + 1] = f"{folder}/output"
        done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, errors="replace",
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 0 or took > FILE_SECONDS, f"what the build compiled does not compile now:\n{done.stderr[:2000]}"
    return took


def test_no_file_is_slow_to_compile(steps, capsys):
    slowest = sorted(steps.items(), key=lambda step: -step[1][0])
    known_file = ROOT / "build/style/compile_time"
    known = dict(line.split() for line in known_file.read_text().splitlines()) if known_file.exists() else {}
    begun, alone, unseen = time.monotonic(), {}, []
    for source, (seconds, command, identity) in slowest:
        if seconds <= FILE_SECONDS or source in SLOWER:
            continue
        if identity in known:
            alone[source] = float(known[identity])
        elif time.monotonic() - begun > PATIENCE_SECONDS:
            unseen.append(source)
        else:
            alone[source] = cpu_seconds(command)
    known_file.parent.mkdir(parents=True, exist_ok=True)
    known_file.write_text("".join(f"{steps[source][2]} {seconds:.1f}\n" for source, seconds in alone.items()))
    with capsys.disabled():
        print("\nslowest to build:", *(f"{seconds:5.1f} s {source}" + (f" ({alone[source]:.1f} s of CPU)" if source in alone else "")
                                      for source, (seconds, _, _) in slowest[:5]), sep="\n  ")
    complain(f"A file compiles in {FILE_SECONDS} s of CPU: split it, or keep the heavy library in one file.",
             [f"{source}: {seconds:.1f} s" for source, seconds in alone.items() if seconds > FILE_SECONDS])
    if unseen:
        warnings.warn(f"slow to build, and not looked at for want of time: {', '.join(unseen)}")


def share_of_cpu(steps):
    """How much of the wall time was not waiting for others, by a sample from quick to slow."""
    sample = [steps[len(steps) * at // 8] for at in (3, 5, 7)]
    return sum(cpu_seconds(command) for _, command in sample) / sum(seconds for seconds, _ in sample)


def test_the_programs_compile_within_their_budget(steps, capsys):
    ours = sorted(((seconds, command) for source, (seconds, command, _) in steps.items()
                   if source.startswith(("src/", "build/release/generated/", "build/release/src/"))), key=lambda step: step[0])
    total = sum(seconds for seconds, _ in ours)
    share = share_of_cpu(ours) if total > ALL_SECONDS else 1.0
    with capsys.disabled():
        print(f"\nbrumed and brume: {len(ours)} files in {total:.0f} s" + (f", {100 * share:.0f} % of that CPU" if share < 1 else ""))
    assert total * share <= ALL_SECONDS, f"brumed and brume take {total * share:.0f} s to compile; the budget is {ALL_SECONDS} s"


def test_a_line_costs_what_it_may(steps, capsys):
    """So that a tree that grows still builds in its time."""
    everything = sorted(((seconds, command) for seconds, command, _ in steps.values()), key=lambda step: step[0])
    database = json.loads((BUILD / "compile_commands.json").read_text())
    if len(everything) < 0.9 * sum("cmake_pch" not in entry["file"] for entry in database):
        pytest.skip("part of the release build came from ccache: the whole was not measured")
    lines = sum(read(path).count("\n") for path in cpp_files("src", "tests", "bench"))
    total = sum(seconds for seconds, _ in everything)
    share = share_of_cpu(everything) if total > SECONDS_PER_1000_LINES * lines / 1000 else 1.0
    each = total * share / lines * 1000
    with capsys.disabled():
        print(f"\n{total * share:.0f} s for {lines} lines: {each:.1f} s for 1,000")
    assert each <= SECONDS_PER_1000_LINES
