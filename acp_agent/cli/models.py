"""`agent models`: what can be used in this directory, one `provider/model` a line. Contacts nobody."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from acp_agent.config.load import load
from acp_agent.llm.models import Models
from acp_agent.llm.settings import provider_notes, provider_settings


def main(argv: Sequence[str]) -> int:
    """Print the models; gives the exit status."""
    parser = argparse.ArgumentParser(prog="agent models", description="List the models that can be used here.")
    parser.add_argument("provider", nargs="?", help="only those of this provider")
    arguments = parser.parse_args(argv)
    loaded = load(Path.cwd(), os.environ)
    models = Models(provider_settings(loaded, os.environ), loaded.config.model)
    for diagnostic in (*loaded.diagnostics, *provider_notes(loaded, os.environ)):
        print(diagnostic, file=sys.stderr)
    for info in models.available():
        if arguments.provider in (None, info.ref.provider):
            print(info.ref)
    return 0
