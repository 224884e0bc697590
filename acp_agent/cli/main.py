"""Finds the sub-command and nothing else, since every import here delays the first answer of `agent acp`."""

from __future__ import annotations

import sys
from typing import NoReturn

_USAGE = """\
usage: agent <command> [options]

  acp      serve an editor over stdin and stdout (Agent Client Protocol)
  run      one prompt from the command line
  models   the models that can be used here
  version  the version

`agent <command> --help` tells more. Documentation: README.md.
"""

_FLAGS = ("-h", "--help", "-V", "--version")


def main(argv: list[str] | None = None, default: str | None = None) -> NoReturn:
    """Run `agent`; `default` is the sub-command that no sub-command means."""
    arguments = sys.argv[1:] if argv is None else argv
    if default and (not arguments or (arguments[0].startswith("-") and arguments[0] not in _FLAGS)):
        arguments = [default, *arguments]
    command, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    match command:
        case "acp":
            from acp_agent.cli import acp

            acp.main(rest)
        case "run":
            from acp_agent.cli import run

            sys.exit(run.main(rest))
        case "models":
            from acp_agent.cli import models

            sys.exit(models.main(rest))
        case "version" | "--version" | "-V":
            from acp_agent import __version__

            print(f"acp-agent {__version__}")
            sys.exit(0)
        case "help" | "--help" | "-h":
            print(_USAGE, end="")
            sys.exit(0)
        case _:
            what = f"agent: there is no command {command!r}.\n\n" if command else ""
            print(what + _USAGE, end="", file=sys.stderr)
            sys.exit(2)


def main_acp() -> NoReturn:
    """Run `opencode-acp`: `agent`'s sub-commands, and `acp` without one."""
    main(default="acp")
