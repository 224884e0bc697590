"""Processes for the tests: one that most of them share, and new ones for those that end it or need another set-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.e2e.process import AgentProcess, vendor_config
from tests.fakes.vendor import Vendor, vendor_server

Spawn = Callable[..., AgentProcess]

_measured: dict[str, list[float]] = {}


@pytest.fixture
def measured() -> Callable[[str, float], float]:
    """Keep a measurement in seconds for the summary; gives it back."""

    def keep(what: str, value: float) -> float:
        _measured.setdefault(what, []).append(value)
        return value

    return keep


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell what was measured."""
    if _measured:
        terminalreporter.section("measured in the real process", sep="-")
    for what, values in sorted(_measured.items()):
        text = f"{what}: median {median(values):.3f}, worst {max(values):.3f} ({len(values)} times)"
        terminalreporter.write_line(text)


@pytest.fixture(scope="package")
def package_vendor() -> Iterator[Vendor]:
    """The one vendor of all tests here."""
    with vendor_server() as vendor:
        yield vendor


@pytest.fixture
def vendor(package_vendor: Vendor) -> Iterator[Vendor]:
    """The vendor with nothing scripted; at the end every reply was used and every request was a valid one."""
    package_vendor.replies.clear()
    package_vendor.requests.clear()
    package_vendor.otherwise = None
    yield package_vendor
    assert [request.fault for request in package_vendor.requests if request.fault] == []
    assert package_vendor.replies == []


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Start a process; it is ended and checked after the test. `initialize=False` leaves the first word to the test."""
    running: list[AgentProcess] = []

    def start(config: Any = None, *, initialize: bool = True, home: Path | None = None, **more: Any) -> AgentProcess:
        home = home or tmp_path / "home"
        home.mkdir(exist_ok=True)
        process = AgentProcess(home, config, **more)
        running.append(process)
        if initialize:
            process.initialize()
        return process

    yield start
    problems = [problem for process in running if (problem := _closed(process)) is not None]
    if problems:
        raise problems[0]


def _closed(process: AgentProcess) -> AssertionError | None:
    try:
        process.close()
    except AssertionError as problem:
        return problem
    return None


@pytest.fixture(scope="package")
def package_agent(tmp_path_factory: pytest.TempPathFactory, package_vendor: Vendor) -> Iterator[AgentProcess]:
    """The shared process, initialized by a client that offers nothing."""
    home = tmp_path_factory.mktemp("shared") / "home"
    home.mkdir()
    process = AgentProcess(home, vendor_config(package_vendor))
    process.initialize()
    yield process
    process.close()


@pytest.fixture
def agent(package_agent: AgentProcess, vendor: Vendor) -> Iterator[AgentProcess]:
    """The shared process, with no answers to its requests; what it wrote is checked after each test."""
    package_agent.answers.clear()
    yield package_agent
    package_agent.check()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty working directory."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder
