"""AGENTS.md and its kin: which are found, in which order, and what is left out."""

import json
import os
import sys
from pathlib import Path

import pytest

from acp_agent.config.load import load
from acp_agent.session import instructions
from acp_agent.session.instructions import MAX_FILE_BYTES, MAX_TOTAL_BYTES, Instruction, Instructions


class Place:
    """A home, and in it a project in git with a folder two levels down, which is the working directory."""

    def __init__(self, top: Path) -> None:
        self.home = top / "home"
        self.project = self.home / "project"
        self.cwd = self.project / "sub" / "deeper"
        self.environ = {"HOME": str(self.home)}
        for folder in (self.cwd, self.project / ".git", self.home / ".config" / "opencode", self.home / ".claude"):
            folder.mkdir(parents=True)

    def write(self, path: str, text: str) -> Path:
        """Write a file below home."""
        place = self.home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def find(self, cwd: Path | None = None) -> Instructions:
        return instructions.find((cwd or self.cwd,), load(cwd or self.cwd, self.environ), self.environ)

    def names(self) -> list[str]:
        return [file.path.relative_to(self.home).as_posix() for file in self.find().files]

    def said(self) -> list[str]:
        return [str(diagnostic) for diagnostic in self.find().diagnostics]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_nothing_is_found_where_nothing_is(place):
    assert place.find() == Instructions((), ())


def test_all_files_of_the_first_kind_found_from_the_root_down(place):
    outer = place.write("project/AGENTS.md", "outer")
    inner = place.write("project/sub/deeper/AGENTS.md", "\ufeffinner\n")
    place.write("project/sub/CLAUDE.md", "another kind")
    place.write("AGENTS.md", "above the project")
    assert place.find() == Instructions((Instruction(outer, "outer"), Instruction(inner, "inner")), ())


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["CLAUDE.md", "CONTEXT.md"], ["CLAUDE.md"]),
        (["CONTEXT.md"], ["CONTEXT.md"]),
        (["AGENTS.md", "CLAUDE.md"], ["AGENTS.md"]),
    ],
)
def test_one_kind_counts(place, kinds, expected):
    for kind in kinds:
        place.write(f"project/{kind}", kind)
    assert place.names() == [f"project/{kind}" for kind in expected]


def test_outside_git_only_the_working_directory_counts(place):
    (place.project / ".git").rmdir()
    place.write("project/AGENTS.md", "outer")
    inner = place.write("project/sub/deeper/AGENTS.md", "inner")
    assert place.find().files == (Instruction(inner, "inner"),)


def test_the_first_of_the_users_own_files_comes_first(place):
    place.write("project/AGENTS.md", "project")
    place.write(".claude/CLAUDE.md", "claude")
    assert place.names() == [".claude/CLAUDE.md", "project/AGENTS.md"]
    place.write(".config/opencode/AGENTS.md", "own")
    assert place.names() == [".config/opencode/AGENTS.md", "project/AGENTS.md"]


def test_configured_entries_are_paths_and_patterns(place):
    for name in ("docs/b.md", "docs/a.md", "docs/deep/c.md", "docs/a.txt", "docs/node_modules/d.md", "rules/[x].md"):
        place.write(f"project/{name}", name)
    place.write("own.md", "own")
    absolute = place.write("elsewhere.md", "elsewhere")
    place.write(
        ".config/opencode/opencode.json",
        json.dumps({"instructions": ["docs/*.md", "docs/**/*.md", "~/own.md", str(absolute), "rules/?[x]].md"]}),
    )
    assert place.names() == [
        "project/docs/a.md",
        "project/docs/b.md",
        "project/docs/deep/c.md",
        "own.md",
        "elsewhere.md",
        "project/rules/[x].md",
    ]
    assert place.said() == []


def test_an_entry_that_matches_nothing_or_is_an_address_is_said(place):
    place.write("project/opencode.json", '{"instructions": ["gone.md",\n "https://x.example/rules.md"]}')
    assert place.said() == [
        "~/project/opencode.json:1:19: no instruction file matches this entry",
        "~/project/opencode.json:2:2: instructions from an address are not fetched; save the text as a file",
    ]


def test_a_file_is_read_once_whatever_its_names(place):
    real = place.write("project/AGENTS.md", "text")
    (place.project / "sub" / "AGENTS.md").symlink_to(real)
    place.write("project/opencode.json", '{"instructions": ["AGENTS.md", "sub/../AGENTS.md"]}')
    assert place.names() == ["project/AGENTS.md"]


@pytest.mark.parametrize("entry", ["../secret.md", "~/secret.md", "ABSOLUTE", "../*.md", "link.md", "~/**/secret.md"])
def test_a_projects_file_cannot_name_instructions_outside_the_project(place, entry):
    secret = place.write("secret.md", "secret")
    (place.project / "link.md").symlink_to(secret)
    entry = entry.replace("ABSOLUTE", str(secret))
    place.write("project/opencode.json", json.dumps({"instructions": [entry]}))
    found = place.find(place.project)
    assert found.files == ()
    assert [str(said) for said in found.diagnostics] == [
        "~/project/opencode.json:1:19: a project's file may only name instructions inside the project; ignored"
    ]


def test_the_users_configuration_may_name_any_file(place):
    secret = place.write("notes.md", "notes")
    place.environ["OPENCODE_CONFIG_CONTENT"] = json.dumps({"instructions": ["~/notes.md"]})
    assert place.find().files == (Instruction(secret, "notes"),)


def test_a_linked_file_of_the_project_must_lie_in_it(place):
    secret = place.write(".ssh/id", "secret")
    (place.project / "AGENTS.md").symlink_to(secret)
    assert place.find().files == ()
    assert place.said() == ["~/project/AGENTS.md: is a link to a file outside the project; it is ignored"]


def test_a_long_file_is_cut_at_a_character_and_said(place):
    path = place.write("project/AGENTS.md", "é" * MAX_FILE_BYTES)
    (found,) = place.find().files
    assert found == Instruction(path, "é" * (MAX_FILE_BYTES // 2), cut=True)
    path.write_bytes(b"x" + "é".encode() * MAX_FILE_BYTES)
    (found,) = place.find().files
    assert found.text == "x" + "é" * (MAX_FILE_BYTES // 2 - 1)
    assert place.said() == [
        "~/project/AGENTS.md: is read only in part: instructions are limited to 64 KiB a file and 256 KiB in all"
    ]


def test_all_files_together_are_bounded(place):
    for number in range(6):
        place.write(f"project/rules/{number}.md", str(number) * (MAX_FILE_BYTES - 1000))
    place.write("project/opencode.json", '{"instructions": ["rules/*.md"]}')
    found = place.find()
    assert sum(len(file.text) for file in found.files) == MAX_TOTAL_BYTES
    assert [(len(file.text), file.cut) for file in found.files] == [(64_536, False)] * 4 + [(4_000, True)]
    assert [str(said) for said in found.diagnostics][-1] == (
        "~/project/rules/5.md: is left out: instructions are limited to 256 KiB in all"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_what_is_no_text_file_is_left_out(place):
    os.mkfifo(place.project / "AGENTS.md")
    (place.project / "sub" / "AGENTS.md").write_bytes(b"a\0b")
    (place.cwd / "AGENTS.md").mkdir()
    assert place.find().files == ()
    assert place.said() == [
        "~/project/AGENTS.md: is not a regular file; it is ignored",
        "~/project/sub/AGENTS.md: is not a text file; it is ignored",
        "~/project/sub/deeper/AGENTS.md: is a folder, not a file; it is ignored",
    ]


def test_an_empty_file_is_left_out_silently(place):
    place.write("project/AGENTS.md", " \n")
    assert place.find() == Instructions((), ())
