"""What an editor waits for at the start needs none of the heavy packages."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.process import vendor_config
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_replies import Answer

pytestmark = pytest.mark.e2e


def test_initialize_and_session_new_are_answered_before_a_heavy_package_is_loaded(
    spawn: Spawn, vendor: Vendor, project: Path
) -> None:
    shut, opener = os.pipe()
    try:
        agent = spawn(
            vendor_config(vendor),
            command=[sys.executable, str(Path(__file__).with_name("import_gate.py"))],
            environment={"E2E_GATE": str(shut)},
            pass_fds=[shut],
        )
        session = agent.new(project)
        vendor.replies.append(Answer("Now it is loaded."))
        prompt = agent.ask(session)
        assert agent.call("session/list", {})["sessions"] != []
        assert not agent.is_answered(prompt)

        os.write(opener, b"o")

        assert agent.response(prompt)["result"] == {"stopReason": "end_turn"}
    finally:
        os.close(shut)
        os.close(opener)
