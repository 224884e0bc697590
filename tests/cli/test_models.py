"""`agent models`: what can be used here, one name a line, at once, and without a word to anybody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acp_agent.cli import models
from tests.harness import scripted_config


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_key_there_is_nothing_and_that_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert all(line.startswith("scripted/") for line in out.splitlines())


def test_a_key_makes_the_models_of_its_provider_usable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    assert models.main([]) == 0
    out, err = capsys.readouterr()
    assert any(line.startswith("anthropic/claude-") for line in out.splitlines())
    assert "sk-ant-0123456789" not in out + err
    assert all(line.count("/") >= 1 and " " not in line for line in out.splitlines())


def test_configured_models_are_listed_and_one_provider_can_be_chosen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    monkeypatch.setenv("OPENCODE_CONFIG_CONTENT", json.dumps(scripted_config(tmp_path / "script.json")))
    models.main([])
    everything = capsys.readouterr().out.splitlines()
    assert "scripted/demo" in everything
    models.main(["scripted"])
    assert capsys.readouterr().out == "scripted/demo\n"
    assert len(everything) > 1


def test_a_broken_configuration_is_told_on_stderr_with_its_place_and_the_rest_is_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    (project / "opencode.json").write_text('{\n  "model": 5\n}')
    assert models.main([]) == 0
    out, err = capsys.readouterr()
    assert "opencode.json:2:12: " in err
    assert "anthropic/" in out
