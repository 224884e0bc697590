"""The hostile lines of `../shared/reference/faults/wire_cases.jsonl`, each against the real process.

Cases that keep no state share a process; after each of them a request must be answered as ever. Scenarios have their
own tests in `test_scenarios.py`; here it is only checked that each of them has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import test_scenarios
from tests.e2e.conftest import Spawn
from tests.e2e.process import AgentProcess, scripted_config
from tests.e2e.wire_cases import FILE, Case, cases, payload, run

CASES = cases()
STATELESS = [case for case in CASES if case.scenario is None and case.phase != "fresh"]
FRESH = [case for case in CASES if case.scenario is None and case.phase == "fresh"]
SCENARIOS = sorted({case.scenario for case in CASES if case.scenario is not None})

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not CASES, reason=f"{FILE.name} is not beside the repository (../shared/reference/faults)"),
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AgentProcess, Path]]:
    """A process whose model always has another answer, and a working directory."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "home").mkdir()
    (folder / "cwd").mkdir()
    config = scripted_config(folder / "script.json", *["Yes."] * (len(CASES) + 1))
    process = AgentProcess(folder / "home", config)
    process.initialize()
    yield process, folder / "cwd"
    process.close()


@pytest.mark.parametrize("case", STATELESS, ids=lambda case: case.id)
def test_a_hostile_line(case: Case, hostile: tuple[AgentProcess, Path]) -> None:
    agent, cwd = hostile

    run(case, agent, payload(case, cwd, agent.new(cwd)), lambda: agent.call("session/list", {}))

    agent.check()


@pytest.mark.parametrize("case", FRESH, ids=lambda case: case.id)
def test_a_hostile_first_line(case: Case, spawn: Spawn, tmp_path: Path) -> None:
    agent = spawn(initialize=False)

    run(case, agent, payload(case, tmp_path, ""), agent.initialize)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_has_a_test(name: str) -> None:
    assert hasattr(test_scenarios, f"test_{name}"), name
