import os
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from acp_agent.schema import ToolCallLocation
from acp_agent.tools.base import Subject
from acp_agent.tools.file_pattern import file_matcher
from acp_agent.tools.process_search import list_processes
from tests.tools.desk import Desk, shown_text

pytestmark = pytest.mark.anyio


@pytest.fixture
def tree(desk: Desk) -> Desk:
    """Files of known ages, oldest first as listed; some of them ignored."""
    names = ["src/a.py", "src/deep/b.py", "src/c.ts", ".hidden/d.py", "README.md", "ignored.log", "build/out.py"]
    for age, name in enumerate(names):
        os.utime(desk.put(name, f"needle in {name}\nother\n"), (1000 + age, 1000 + age))
    desk.put(".gitignore", "*.log\nbuild/\n")
    desk.put(".git/config.py", "needle\n")
    return desk


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.py", [".hidden/d.py", "src/deep/b.py", "src/a.py"]),
        ("*.py", [".hidden/d.py", "src/deep/b.py", "src/a.py"]),
        ("src/*.py", ["src/a.py"]),
        ("/src/*.py", None),
        ("./src/*.py", ["src/a.py"]),
        ("src/**", ["src/c.ts", "src/deep/b.py", "src/a.py"]),
        ("src/", ["src/c.ts", "src/deep/b.py", "src/a.py"]),
        ("src/**/*.{py,ts}", ["src/c.ts", "src/deep/b.py", "src/a.py"]),
        ("{src,x}/[!a].ts", ["src/c.ts"]),
        ("*", [".gitignore", "README.md", ".hidden/d.py", "src/c.ts", "src/deep/b.py", "src/a.py"]),
        ("!*.py", [".gitignore", "README.md", "src/c.ts"]),
        ("*.log", []),
        ("build/*", []),
        ("--files", []),
        ("READ*", ["README.md"]),
    ],
)
async def test_files_come_by_age_without_what_git_ignores(tree: Desk, pattern: str, found: list[str] | None) -> None:
    await tree.run("bash", command="git init -q")
    if found is None:
        assert "pattern is relative" in await tree.refusal("glob", pattern=pattern)
        return
    result = await tree.run("glob", pattern=pattern)
    assert result.output == ("\n".join(found) or f"No file in . matches {pattern}")
    assert not result.is_error


async def test_ignore_files_of_ripgrep_hold_without_git(desk: Desk) -> None:
    desk.put("a.py")
    desk.put("b.py")
    desk.put(".ignore", "b.py")
    assert (await desk.run("glob", pattern="*.py")).output == "a.py"


async def test_names_of_files_that_look_like_options_or_are_odd_are_found(desk: Desk) -> None:
    for name in ("-rf.txt", "a b.txt", "line\nend.txt", "ü.txt", "c:d.txt"):
        os.utime(desk.put(name), (1, 1))
    output = (await desk.run("glob", pattern="*.txt")).output
    assert output == "-rf.txt\na b.txt\nc:d.txt\nline\nend.txt\nü.txt"
    assert (await desk.run("glob", pattern="c:*.txt")).output == "c:d.txt"
    assert (await desk.run("glob", pattern="-r*")).output == "-rf.txt"


async def test_names_that_are_no_text_can_be_sent(desk: Desk) -> None:
    Path(os.fsdecode(os.fsencode(desk.root) + b"/caf\xe9.txt")).write_text("needle")
    for result in (await desk.run("glob", pattern="*"), await desk.run("grep", pattern="needle")):
        result.output.encode()
        assert "caf\ufffd.txt" in result.output
        [location.path.encode() for location in result.locations or ()]


async def test_more_than_a_hundred_files_are_counted(desk: Desk) -> None:
    for number in range(120):
        desk.put(f"{number:03}.txt")
    result = await desk.run("glob", pattern="*.txt")
    assert result.output.count("\n") == 100
    assert result.output.endswith("\n(20 more; narrow the pattern)")
    assert result.data == {"count": 120}


@pytest.mark.parametrize("tool", ["glob", "grep"])
async def test_a_search_begins_in_the_folder_that_is_named(tree: Desk, tool: str) -> None:
    pattern = "*.py" if tool == "glob" else "needle"
    for path in ("src/deep", str(tree.path("src/deep")), "src/../src/deep/"):
        result = await tree.run(tool, pattern=pattern, path=path)
        assert result.output.startswith("src/deep/b.py")
        assert "\n" not in result.output
    assert (await tree.run(tool, pattern=pattern, path="")).output == (await tree.run(tool, pattern=pattern)).output


async def test_a_folder_outside_gives_absolute_names(tree: Desk, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.py").write_text("needle\n")
    assert (await tree.run("glob", pattern="*", path="../other")).output == f"{tmp_path}/other/x.py"
    assert (await tree.run("grep", pattern="need", path="../other")).output == f"{tmp_path}/other/x.py:1: needle"


@pytest.mark.parametrize("tool", ["glob", "grep"])
async def test_a_place_that_is_not_there_names_the_nearest(tree: Desk, tool: str) -> None:
    words = await tree.refusal(tool, pattern="x", path="srcs")
    assert words == "There is no file or directory srcs. Did you mean src?"


async def test_a_file_is_no_folder_for_glob(tree: Desk) -> None:
    words = await tree.refusal("glob", pattern="*", path="README.md")
    assert words == "README.md is a file, not a directory. Read it, or name its directory."


@pytest.mark.parametrize("tool", ["glob", "grep"])
async def test_a_pipe_is_not_waited_for(tree: Desk, tool: str) -> None:
    os.mkfifo(tree.path("pipe"))
    assert "is not a regular file" in await tree.refusal(tool, pattern="x", path="pipe")
    assert "pipe" not in (await tree.run("grep", pattern="needle")).output


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("[a", "is not a pattern of file names: a bracket is not closed"),
        ("{a,b", "is not a pattern of file names: a brace is not closed"),
        ("[z-a]", "is not a pattern of file names"),
        ("/etc/*", "pattern is relative to a directory"),
        ("~/x", "pattern is relative to a directory"),
        ("../*", "cannot lead out of the directory"),
        ("*a" * 30, "too many wildcards"),
    ],
)
async def test_a_pattern_that_is_none_says_why(tree: Desk, pattern: str, words: str) -> None:
    assert words in await tree.refusal("glob", pattern=pattern)
    if not pattern.startswith(("/", "~", ".")):
        assert words in await tree.refusal("grep", pattern="x", include=pattern)


def test_many_wildcards_do_not_take_long() -> None:
    assert not file_matcher("**/" * 8 + "*a*a*a*a*b")("a" * 60)


async def test_matches_come_with_path_and_line_in_the_order_of_paths(tree: Desk) -> None:
    await tree.run("bash", command="git init -q")
    result = await tree.run("grep", pattern="needle in")
    assert result.output == (
        ".hidden/d.py:1: needle in .hidden/d.py\nREADME.md:1: needle in README.md\nsrc/a.py:1: needle in src/a.py\n"
        "src/c.ts:1: needle in src/c.ts\nsrc/deep/b.py:1: needle in src/deep/b.py"
    )
    assert shown_text(result) == f"```\n{result.output}\n```"
    assert result.locations == [
        ToolCallLocation(path=str(tree.path(line.split(":")[0])), line=1) for line in result.output.split("\n")
    ]
    assert result.data == {"count": 5}


@pytest.mark.parametrize(
    ("include", "found"),
    [
        ("*.py", [".hidden/d.py", "src/a.py", "src/deep/b.py"]),
        ("src/*.py", ["src/a.py"]),
        ("src/**/*.py", ["src/a.py", "src/deep/b.py"]),
        ("*.{ts,md}", ["README.md", "src/c.ts"]),
        ("!*.{py,md}", ["src/c.ts"]),
        ("*.log", []),
    ],
)
async def test_only_included_files_are_searched(tree: Desk, include: str, found: list[str]) -> None:
    await tree.run("bash", command="git init -q")
    result = await tree.run("grep", pattern="needle", include=include)
    expected = "\n".join(f"{name}:1: needle in {name}" for name in found)
    assert result.output == (expected or f"No line in . ({include} only) matches needle")


async def test_a_file_is_searched_whatever_ignores_it(tree: Desk) -> None:
    result = await tree.run("grep", pattern="needle", path="ignored.log", include="*.py")
    assert result.output == "ignored.log:1: needle in ignored.log"


@pytest.mark.parametrize("pattern", ["-n", "--pre=sh", "-e"])
async def test_a_pattern_may_begin_with_a_dash(desk: Desk, pattern: str) -> None:
    desk.put("a.txt", f"x {pattern} y\n")
    assert (await desk.run("grep", pattern=pattern)).output == f"a.txt:1: x {pattern} y"


async def test_a_path_may_begin_with_a_dash(desk: Desk) -> None:
    desk.put("-x/-y", "needle\n")
    assert (await desk.run("grep", pattern="needle", path="-x/-y")).output == "-x/-y:1: needle"


async def test_an_expression_that_is_none_says_why(desk: Desk) -> None:
    words = await desk.refusal("grep", pattern="a(b")
    assert words.startswith("The search failed: ")
    assert "unclosed group" in words


async def test_no_match_is_no_error(desk: Desk) -> None:
    result = await desk.run("grep", pattern="x")
    assert (result.output, result.is_error) == ("No line in . matches x", False)


async def test_more_than_a_hundred_matches_are_counted(desk: Desk) -> None:
    desk.put("a.txt", "x\n" * 130)
    result = await desk.run("grep", pattern="x")
    assert result.output.split("\n")[99:] == [
        "a.txt:100: x",
        "(30 more matches; narrow the pattern, the path or include)",
    ]


async def test_long_lines_are_cut(desk: Desk) -> None:
    desk.put("a.txt", "é" * 3_000_000 + "needle\n" + "b needle\n")
    result = await desk.run("grep", pattern="needle")
    assert result.output == f"a.txt:1: {'é' * 500}…\na.txt:2: b needle"


async def test_a_flood_of_matches_is_bounded(desk: Desk) -> None:
    line = "x" * 500 + "\n"
    for name in ("a.txt", "b.txt"):
        desk.put(name, line * 24_000)
    result = await desk.run("grep", pattern="x")
    assert len(result.output) < 60_000
    assert "\n(more than " in result.output


async def test_texts_of_other_encodings_are_searched(desk: Desk) -> None:
    desk.put("a.txt", "né needle\r\n".encode("utf-16"))
    desk.put("b.txt", b"n\xe9 needle\r\n")
    assert (await desk.run("grep", pattern="needle")).output == "a.txt:1: né needle\nb.txt:1: n\ufffd needle"


async def test_a_binary_file_that_matches_is_said_to(desk: Desk) -> None:
    desk.put("a.bin", b"\0needle\n")
    assert (await desk.run("grep", pattern="needle")).output == "No line in . matches needle"
    result = await desk.run("grep", pattern="needle", path="a.bin")
    assert result.output == "a.bin is a binary file that matches; its lines are not shown."


async def test_a_configuration_of_ripgrep_is_not_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("rc", "--invert-match\n")
    monkeypatch.setenv("RIPGREP_CONFIG_PATH", str(desk.path("rc")))
    assert (await desk.run("grep", pattern="match")).output == "rc:1: --invert-match"


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_cancelled_search_leaves_no_process(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    for number in range(200):
        desk.put(f"{number}.txt", "x" * 100_000)

    def searching() -> list[Path]:
        ours = [
            Path(f"/proc/{each.pid}") for each in list_processes() if each.parent == os.getpid() and not each.zombie
        ]
        with suppress(OSError):  # one ended meanwhile
            return [process for process in ours if b"--no-config" in (process / "cmdline").read_bytes()]
        return []

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(lambda: desk.run("grep", pattern="(x+x+)+y"))
        with anyio.fail_after(5):
            while not (found := searching()):
                await anyio.lowlevel.checkpoint()
        assert b"sk-secret" not in (found[0] / "environ").read_bytes()
        tasks.cancel_scope.cancel()
    assert searching() == []


async def test_what_a_search_touches(desk: Desk) -> None:
    assert desk.subjects("glob", pattern="*.py") == [Subject("glob", "*.py", "*.py")]
    assert desk.subjects("glob", pattern="*", path="/etc") == [
        Subject("glob", "*", "*"),
        Subject("external_directory", "/etc/*", "/etc/*"),
    ]
    assert desk.subjects("grep", pattern="a.b", path="/etc/hosts") == [
        Subject("grep", "a.b", "a.b"),
        Subject("read", "/etc/hosts", "/etc/hosts"),
        Subject("external_directory", "/etc/*", "/etc/*"),
    ]
    titles = [
        desk.summary("glob", pattern="*").title,
        desk.summary("glob", pattern="*", path="sub").title,
        desk.summary("grep", pattern="x", include="*.py", path="sub").title,
    ]
    assert titles == ["*", "* in sub", "x in *.py in sub"]
    assert await desk.preview("glob", pattern="*") == await desk.preview("grep", pattern="x") == ()
