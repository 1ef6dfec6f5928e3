"""Changelog fragments (docs/changes) have the form that tools/changes assembles."""
import importlib.machinery
import importlib.util
import subprocess
import sys

import pytest

from source_tree import ROOT, complain

sys.dont_write_bytecode = True
LOADER = importlib.machinery.SourceFileLoader("changes", str(ROOT / "tools/changes"))
changes = importlib.util.module_from_spec(importlib.util.spec_from_loader("changes", LOADER))
LOADER.exec_module(changes)


def test_fragments_have_their_form():
    complain("docs/changes/README.md says how a fragment is written.", changes.wrong())


def test_all_of_them_are_shown():
    shown = subprocess.run([ROOT / "tools/changes"], capture_output=True, text=True, check=True).stdout
    assert shown.count("\n- ") == sum(len(changes.items_of(path)) for path in changes.fragments())


def test_the_changelog_has_only_releases():
    """What is not released stands in docs/changes alone, so that no two branches edit one paragraph."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "<!-- releases -->" in text and "Unreleased" not in text


@pytest.mark.parametrize("text", ["Something is new.\n", "- new: Something.\n", "- added: One.\nmore\n", "- added: No full stop\n", "- added:\n", ""])
def test_another_form_is_noticed(tmp_path, monkeypatch, text):
    monkeypatch.setattr(changes, "ROOT", tmp_path)
    monkeypatch.setattr(changes, "FOLDER", tmp_path)
    (tmp_path / "one.md").write_text(text)
    assert len(changes.wrong()) == 1


def test_a_release_takes_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(changes, "ROOT", tmp_path)
    monkeypatch.setattr(changes, "FOLDER", tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/one.md").write_text("- fixed: One\n  thing ([how](../a.md)).\n- added: Another.\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n<!-- releases -->\n\n## [0.1.0] - 2026-01-01\n")
    changes.release("0.2.0")
    text = (tmp_path / "CHANGELOG.md").read_text()
    assert "## [0.2.0]" in text and text.index("Another.") < text.index("One thing ([how](docs/a.md)).") < text.index("## [0.1.0]")
    assert not list((tmp_path / "docs").iterdir())


def test_the_first_release_is_no_longer_none(tmp_path, monkeypatch):
    monkeypatch.setattr(changes, "ROOT", tmp_path)
    monkeypatch.setattr(changes, "FOLDER", tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/one.md").write_text("- fixed: One.\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n<!-- releases -->\n\nThere is no release yet.\n")
    changes.release("0.2.0")
    assert "no release" not in (tmp_path / "CHANGELOG.md").read_text()
