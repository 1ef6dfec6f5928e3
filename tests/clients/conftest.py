"""Other people's programs, unmodified, at ordinary instance work against a throw-away daemon in simulation.

    /usr/bin/python3 -m pytest tests/clients

The fixtures are those of tests/api. A program that is not installed is a skipped test; packages.list has them all.
"""
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

API = pathlib.Path(__file__).resolve().parents[1] / "api"
specification = importlib.util.spec_from_file_location("api_conftest", API / "conftest.py")
api = importlib.util.module_from_spec(specification)
sys.modules["api_conftest"] = api
sys.path.append(str(API))  # for what it imports beside it
specification.loader.exec_module(api)

from api_conftest import REGION, ami, daemon, ec2, in_state, instances_of, launch, old, wait_until  # noqa: E402,F401


def needs(*operations):
    """A test whose client cannot do without an operation that is not built yet; it runs as soon as that is."""
    families = json.loads((API.parents[1] / "models/built.json").read_text())["ec2"]
    missing = set(operations) - {name for names in families.values() for name in names}
    return pytest.mark.skipif(bool(missing), reason=f"not built: {', '.join(sorted(missing))}")


@pytest.fixture
def run(daemon, ec2, tmp_path):  # noqa: F811
    """run(program, argument, …): a program with nothing in its environment but what `brume env` prints; what it printed."""

    def done(*command, environment=None, fails=False, seconds=180):
        if not shutil.which(command[0]):
            pytest.skip(f"{command[0]} is not installed")
        given = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8", "AWS_ACCESS_KEY_ID": daemon.keys.key_id,
            "AWS_SECRET_ACCESS_KEY": daemon.keys.secret, "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1", "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            **(environment or {}),
        }
        ended = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=seconds)
        assert (ended.returncode != 0) == fails, f"{command}: {ended.returncode}\n{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
        return ended.stdout if not fails else ended.stdout + ended.stderr

    return done
