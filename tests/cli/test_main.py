"""The command line: which sub-command runs, and what happens without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from acp_agent import __version__
from acp_agent.cli.main import main, main_acp


def _run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "acp_agent", *arguments],
        input="",
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **environ},
        check=False,
    )


@pytest.mark.parametrize("flag", ["version", "--version", "-V"])
def test_the_version_is_told(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([flag])
    assert (ended.value.code, capsys.readouterr()) == (0, (f"acp-agent {__version__}\n", ""))


@pytest.mark.parametrize("flag", ["help", "--help", "-h"])
def test_help_goes_to_stdout(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([flag])
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    assert out.startswith("usage: agent <command>")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["--port", "1"]])
def test_no_command_and_an_unknown_one_are_refused_with_the_usage_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert "usage: agent <command>" in err
    assert not arguments or repr(arguments[0]) in err


@pytest.mark.parametrize("flag", ["version", "--version"])
def test_the_other_name_takes_the_same_commands(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["opencode-acp", flag])
    with pytest.raises(SystemExit):
        main_acp()
    assert capsys.readouterr().out == f"acp-agent {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["acp"], ["--port", "4096", "--hostname", "127.0.0.1"]])
def test_without_a_command_the_other_name_serves_an_editor(arguments: list[str]) -> None:
    code = "from acp_agent.cli.main import main_acp; main_acp()"
    line = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n'
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], input=line, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,')


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nonsense"], "there is no option '--nonsense'"),
        (["--port"], "--port needs a value"),
        (["--trace", "/nowhere/at/all"], "the trace file /nowhere/at/all cannot be written"),
    ],
)
def test_a_wrong_option_of_acp_is_refused_before_anything_is_served(arguments: list[str], told: str) -> None:
    done = _run("acp", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--cwd", ".", "--port", "4096", "--hostname", "127.0.0.1"],
        ["--port=4096", "--hostname=::1", "--log-level=DEBUG"],
        ["--mdns", "--print-logs", "--pure"],
    ],
)
def test_the_options_of_opencode_are_accepted_and_no_word_is_said(arguments: list[str]) -> None:
    done = _run("acp", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_trace_has_every_line_with_its_speaker(tmp_path: Path) -> None:
    line = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\nnonsense\n'
    done = subprocess.run(
        [sys.executable, "-m", "acp_agent", "acp", "--trace", str(tmp_path / "trace")],
        input=line,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    import json

    lines = [json.loads(each) for each in (tmp_path / "trace").read_text().splitlines()]
    assert [each["from"] for each in lines if each["message"] != "nonsense"].count("client") == 1
    assert "nonsense" in [each["message"] for each in lines]
    assert sum(each["from"] == "agent" for each in lines) == len(done.stdout.splitlines())
