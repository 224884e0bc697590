"""An agent for each way of asking: in memory, a process of its own, and one process that a module shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.e2e.process import AgentProcess, scripted_config, vendor_config
from tests.fakes.vendor import Answer, Call, Received, Vendor, vendor_server
from tests.harness import Rig

Start = Callable[..., AgentProcess]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty working directory."""
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process whose model plays these steps; it is ended and everything that it wrote is checked afterwards."""
    running: list[AgentProcess] = []

    def run(*steps: Mapping[str, Any] | str, config: Mapping[str, Any] | None = None, **more: Any) -> AgentProcess:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        given = scripted_config(home / f"script-{len(running)}.json", *steps, **(config or {}))
        process = AgentProcess(home, more.pop("plain", given), **more)
        running.append(process)
        return process

    yield run
    for process in running:
        process.close()


def _reply(request: Received) -> Answer:
    """What the shared process's model says: it does as the latest prompt asks."""
    asked = [message for message in request.body["messages"] if message["role"] == "user"]
    text = str(asked[-1]["content"])
    if "be long" in text:
        return Answer(["I begin", " and go on"], pause=Event())
    if "use a tool" in text and request.body["messages"][-1]["role"] == "user":
        return Answer("I look. ", calls=[Call("glob", '{"pattern": "*"}')])
    return Answer("Hello there.")


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    """The vendor behind the shared process."""
    with vendor_server() as vendor:
        vendor.otherwise = _reply
        yield vendor


@pytest.fixture(scope="module")
def shared_process(tmp_path_factory: pytest.TempPathFactory, vendor: Vendor) -> Iterator[AgentProcess]:
    """One process for a module, for a client that offers nothing."""
    home = tmp_path_factory.mktemp("conformance") / "home"
    home.mkdir()
    process = AgentProcess(home, vendor_config(vendor))
    process.initialized = process.initialize()  # type: ignore[attr-defined]  # tests ask for what it answered
    yield process
    process.close()


@pytest.fixture
def agent(shared_process: AgentProcess) -> Iterator[AgentProcess]:
    """The shared process; what it wrote is judged after each test, and every request must have been answered."""
    yield shared_process
    shared_process.check()
