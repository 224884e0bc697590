"""`python -m acp_agent.cli.schemas DIR`: what is made out of the types for the folder `protocol`.

These are the JSON Schemas in `schemas` and the API pages in `api`, which take their examples from `transcripts`. Beside
the messages of the protocol there are schemas of `config.json`, the configuration file, and of `session-log.json`, one
event of a session's record.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from acp_agent.cli.api_pages import write_pages
from acp_agent.config import models
from acp_agent.config.models import Config, Section
from acp_agent.schema.export import JsonSchema, export, schema_of
from acp_agent.session.record.events import event_adapter

_ELSEWHERE = "a key of opencode that is accepted and not read here"


def other_schemas() -> dict[str, JsonSchema]:
    """Name and schema of everything published that is no message of the protocol."""
    # The record is written with Python's names: it is ours, and changes by its own versions.
    return {"config": config_schema(), "session-log": schema_of(event_adapter(), by_alias=False)}


def config_schema() -> JsonSchema:
    """The schema of `opencode.json`, in which the keys that only opencode reads are no error."""
    schema = schema_of(Config)
    for section in _sections():
        place = schema if section is Config else schema["$defs"][section.__name__]
        for key in section.elsewhere:
            place["properties"][key] = {"description": _ELSEWHERE}
    return schema


def _sections() -> Iterator[type[Section]]:
    for found in vars(models).values():
        if isinstance(found, type) and issubclass(found, Section) and found is not Section:
            yield found


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m acp_agent.cli.schemas DIRECTORY\n")
        return 2
    folder = Path(argv[0])
    export(folder / "schemas", other_schemas())
    write_pages(folder / "api", folder / "transcripts")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
