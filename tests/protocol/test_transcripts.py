"""Every golden conversation goes the same way in memory and against the real process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.players import Stage, in_a_process, in_memory, perform
from tests.protocol.transcripts import FOLDER, Transcript, canonical, ordered

pytestmark = pytest.mark.anyio

PATHS = sorted(FOLDER.glob("*.jsonl"))


async def play(path: Path, stage: Stage, folder: Path) -> None:
    transcript = Transcript.read(path)
    async with stage(transcript, folder) as (wire, cwd):
        (*answers, afterwards), sessions = await perform(transcript, wire, cwd, rewriting=False)
    for (_, expected), heard in zip(transcript.blocks(), answers, strict=True):
        assert canonical(heard, sessions) == canonical(expected, sessions)
    assert afterwards == [], "the agent said more than the transcript has"
    assert {name: (cwd / name).read_text("utf-8") for name in transcript.leaves} == transcript.leaves


async def rewrite(path: Path, folder: Path) -> None:
    transcript = Transcript.read(path)
    async with in_memory(transcript, folder) as (wire, cwd):
        (*answers, _), sessions = await perform(transcript, wire, cwd, rewriting=True)
    transcript.with_answers([ordered(heard, sessions) for heard in answers]).write(path)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
async def test_a_transcript_replays_in_memory(
    path: Path, anyio_backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if request.config.getoption("--update-transcripts") and anyio_backend == "asyncio":
        (tmp_path / "rewriting").mkdir()
        await rewrite(path, tmp_path / "rewriting")
    await play(path, in_memory, tmp_path)


@pytest.mark.e2e
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
async def test_a_transcript_replays_against_the_process(path: Path, tmp_path: Path) -> None:
    await play(path, in_a_process, tmp_path)
