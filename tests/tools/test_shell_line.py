import os
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from acp_agent.tools.base import Subject
from acp_agent.tools.shell_line import line_subjects
from tests.tools import shell_lines
from tests.tools.desk import Desk
from tests.tools.shell_lines import Line


@pytest.fixture
def folder(desk: Desk) -> Path:
    """The workspace, with the folder `sub` and a link to /etc."""
    desk.path("sub").mkdir()
    desk.path("link").symlink_to("/etc")
    return desk.root


def subjects_of(desk: Desk, text: str) -> Sequence[Subject]:
    return line_subjects(filled(desk, text), desk.root, desk.workspace)


def filled(desk: Desk, text: str) -> str:
    return text.replace("{w}", str(desk.root)).replace("{h}", os.environ["HOME"])


def named(lines: Sequence[Line]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("line", lines, ids=[repr(line.text)[:60] for line in lines])


@named(shell_lines.COMMANDS)
def test_every_command_of_a_line_is_a_subject(desk: Desk, folder: Path, line: Line) -> None:
    subjects = subjects_of(desk, line.text)
    assert sorted(s.pattern for s in subjects if s.permission == "bash") == sorted(line.subjects)
    assert [s.danger for s in subjects if s.danger] == []


@named(shell_lines.DANGERS)
def test_a_danger_is_found(desk: Desk, folder: Path, line: Line) -> None:
    dangers = [subject.danger for subject in subjects_of(desk, line.text) if subject.danger]
    assert dangers
    assert line.danger in " ".join(dangers)


@named(shell_lines.CAUTIONS)
def test_a_caution_is_found(desk: Desk, folder: Path, line: Line) -> None:
    subjects = subjects_of(desk, line.text)
    assert [subject.danger for subject in subjects if subject.danger] == []
    assert line.caution in " ".join(subject.caution or "" for subject in subjects)


@named([*shell_lines.PLAIN, *shell_lines.OUTSIDE])
def test_a_plain_line_is_neither(desk: Desk, folder: Path, line: Line) -> None:
    subjects = subjects_of(desk, line.text)
    assert [subject for subject in subjects if subject.danger or subject.caution] == []


@named([*shell_lines.OUTSIDE, *shell_lines.PLAIN])
def test_directories_outside_the_workspace_are_subjects(desk: Desk, folder: Path, line: Line) -> None:
    found = [s.pattern for s in subjects_of(desk, line.text) if s.permission == "external_directory"]
    assert found == [os.path.normpath(filled(desk, path)) for path in line.outside]


@pytest.mark.parametrize(("text", "always"), shell_lines.ALWAYS)
def test_always_stands_for_the_words_that_say_what_is_done(desk: Desk, folder: Path, text: str, always: str) -> None:
    assert subjects_of(desk, text)[0] == next(s for s in subjects_of(desk, text) if s.pattern == text)
    assert subjects_of(desk, text)[0].always == always


def test_the_same_command_twice_is_one_subject(desk: Desk) -> None:
    assert subjects_of(desk, "ls a; ls a") == [Subject("bash", "ls a", "ls *")]


def test_a_line_of_any_length_is_read_in_time_that_grows_with_it(desk: Desk) -> None:
    for text in ("a " * 50_000, "a" * 100_000, "((" * 5_000, "f() {\n" * 2_000, "$((a " * 20 + ") )" * 20, "{a," * 500):
        subjects_of(desk, text)


MARKS = ["rm", "-rf", "/", " ", "\n", ";", "&", "|", "'", '"', "\\", "$", "`", "(", ")", "{", "}", "[", "]", "<", ">"]
OPENINGS = [
    "<<E\n",
    "\nE\n",
    "$(",
    "${x:-",
    "$((",
    "))",
    "$'",
    "\\x00",
    "~",
    "*",
    "=",
    "a",
    "a=(",
    "#",
    "\0",
    "\ud800",
    "é",
]
KEYWORDS = ["case x in ", "esac", ";;", "if ", "then ", "fi", "for x in ", "do ", "done", "[[", "function f ", "f() "]
PROGRAMS = [
    "bash -c ",
    "eval ",
    "sudo ",
    "cd ",
    "echo ",
    "{1..3}",
    "{a,b}",
    "find . -exec ",
    "xargs ",
    "env -S",
    "trap ",
]
PIECES = st.sampled_from([*MARKS, *OPENINGS, *KEYWORDS, *PROGRAMS])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(PIECES, max_size=30).map("".join))
def test_no_line_breaks_the_reader(desk: Desk, text: str) -> None:
    subjects = subjects_of(desk, text)
    assert any(subject.permission == "bash" for subject in subjects)


PLAIN_FORMS = [
    "rm -rf /",
    "rm -r -f /",
    "'rm' -rf /",
    'r"m" -rf "/"',
    "\\rm -rf //",
    "rm $'-rf' $'\\x2f'",
    "{rm,-rf,/}",
]
HIDINGS: list[Callable[[str], str]] = [
    lambda line: f"bash -c {shlex.quote(line)}",
    lambda line: f"sh -ec {shlex.quote(line)} x",
    lambda line: f"eval {shlex.quote(line)}",
    lambda line: f"echo $({line}\n)",
    lambda line: f'echo "a $({line}\n) b"',
    lambda line: f"x=$({line}\n)",
    lambda line: f"echo ${{x:-$({line}\n)}}",
    lambda line: f"cat <({line}\n)",
    lambda line: f"({line}\n)",
    lambda line: f"{{ {line}\n}}",
    lambda line: f"if true; then {line}\nfi",
    lambda line: f"for x in a; do {line}\ndone",
    lambda line: f"case x in a|x) {line}\n;; esac",
    lambda line: f"! {line}",
    lambda line: f"true && {line}",
    lambda line: f"cd sub; {line}",
    lambda line: f"f() {{ {line}\n}}; f",
    lambda line: f"bash <<'EOF'\n{line}\nEOF\n",
    lambda line: f"cat <<'EOF' | bash\n{line}\nEOF\n",
    lambda line: f"bash <<< {shlex.quote(line)}",
    lambda line: f"printf '%s' {shlex.quote(line)} | bash",
    lambda line: f"trap {shlex.quote(line)} EXIT",
    lambda line: f"env X=1 bash -c {shlex.quote(line)}",
    lambda line: f"timeout 5 nice -n 3 bash -c {shlex.quote(line)}",
    lambda line: f"echo 'a' \\\n; {line}",
    lambda line: f"cat <<X\n$({line}\n)\nX\n",
]


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.sampled_from(PLAIN_FORMS), hidings=st.lists(st.sampled_from(HIDINGS), max_size=4))
def test_a_hidden_danger_is_found(desk: Desk, line: str, hidings: list[Callable[[str], str]]) -> None:
    for hide in hidings:
        line = hide(line)
    assert [subject for subject in subjects_of(desk, line) if subject.danger]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an `rm` that only writes down what it is given, and programs that run others."""
    folder = tmp_path_factory.mktemp("programs")
    for name in ("bash", "cat", "env", "nice", "printf", "sh", "timeout"):
        found = next(path for path in (f"/bin/{name}", f"/usr/bin/{name}") if os.path.exists(path))
        (folder / name).symlink_to(found)
    (folder / "rm").write_text('#!/bin/sh\nprintf "<%s>" "$@" end >> "$RM_LOG"\n')
    (folder / "rm").chmod(0o755)
    return folder


REMOVALS = ["rm -rf / ", "rm", " -rf ", "/", "{rm,", ",/}", "\n", "; ", " && ", " || ", " | ", "& "]
QUOTES = ["'", '"', "\\", "`", "$(", ")", "(", "${x:-", "${x#", "}", "$((", "))", "((", "$'", "#", "[[ ", " ]]"]
DOCUMENTS = ["<<E\n", "\nE\n", "<<'E'\n", "<<<", "x=", "a=(", "1"]
BRANCHES = ["{ ", "; }", "case x in x) ", "esac", ";;", "if ", "then ", "fi", "for x in 1; do ", "; done", "!"]
RUNNERS = [
    "f() { ",
    "function f ",
    "; f",
    "bash -c ",
    "eval ",
    "env ",
    "echo ",
    "true",
    "bash <<E\n",
    "time -p ",
    "coproc N ",
]
EXECUTABLE = st.sampled_from([*REMOVALS, *QUOTES, *DOCUMENTS, *BRANCHES, *RUNNERS])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(EXECUTABLE, min_size=1, max_size=12).map("".join))
def test_what_bash_really_runs_is_found(desk: Desk, programs: Path, text: str) -> None:
    """bash itself is asked what it makes of a line, with an `rm` that removes nothing."""
    log = desk.path("rm.log")
    log.unlink(missing_ok=True)
    environment = {"PATH": str(programs), "RM_LOG": str(log), "HOME": os.environ["HOME"], "FUNCNEST": "5"}
    command = [str(programs / "timeout"), "-s", "KILL", "1", "/bin/bash", "--noprofile", "--norc", "-c", "--", text]
    subprocess.run(command, cwd=desk.root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    ran = log.read_text().split("<end>") if log.exists() else []
    if any("<-rf>" in words and "</>" in words for words in ran):
        assert [subject for subject in subjects_of(desk, text) if subject.danger or subject.caution]
