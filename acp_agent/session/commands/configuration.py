"""`/config`: the configuration in force, where it comes from, and what is wrong with it. Secrets are never shown."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from acp_agent.config.diagnostic import Diagnostic, Layer, dotted
from acp_agent.llm.settings import provider_notes
from acp_agent.session.commands.base import Invocation, code, fenced, listed, page, sentence
from acp_agent.session.commands.masking import masked_values
from acp_agent.session.commands.permissions import place_of
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn

_LAYERS: Mapping[Layer, str] = {
    Layer.GLOBAL: "yours, for every project",
    Layer.CUSTOM: "named by OPENCODE_CONFIG",
    Layer.PROJECT: "the project's",
    Layer.CONTENT: "a variable of the environment",
}


async def config(turn: Turn, invoked: Invocation) -> str:
    """`/config [key]`: the files in their order, the diagnostics, the values; with a key, one value and its origin."""
    key = invoked.arguments.strip("`\"' ")
    return _one(turn.state, key) if key else _all(turn.state)


def _all(state: SessionState) -> str:
    loaded = state.config
    problems = problems_of(state)
    sources = [f"{code(source.shown)}: {_LAYERS[source.layer]}" for source in loaded.sources]
    values = masked(state)
    return page(
        listed("Read in this order, a later one wins", sources)
        or "Nothing is configured: there is no opencode.json for this directory.",
        listed("Problems", [f"{each.severity} at {told(each)}" for each in problems], 50)
        or ("No problems were found in them." if sources else ""),
        "**Values in force**, without secrets\n\n" + fenced(_json(values), "json") if values else "",
        "`/config KEY` says where a value comes from, such as `/config permission`." if values else "",
    )


def _one(state: SessionState, key: str) -> str:
    values: Any = masked(state)
    path, value = _found(values, key)
    if path is None:
        from difflib import get_close_matches

        near = get_close_matches(key, [dotted(each) for each in _paths(values)][:2000], n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(code(each) for each in near)}?" if near else ""
        return page(
            f"{code(key)} is not configured.{hint}",
            f"These keys are: {', '.join(code(each) for each in values)}." if values else "Nothing is.",
        )
    rows = [f"{code(dotted(each))}: {place_of(state, each)}" for each in _leaves(path, value)]
    origin = state.config.origin(path)
    made = "" if not state.config.is_substituted(path) else "Made from `{env:}` or `{file:}`, so it is not shown."
    return page(
        f"{code(dotted(path))} is in force as",
        fenced(_json(value), "json"),
        sentence(f"it comes from {place_of(state, path)} ({_LAYERS[origin]})") if origin is not None else "",
        listed("Written at", rows, 50) if len(rows) > 1 else "",
        made,
        listed("Also set, and outweighed or added to", _outweighed(state, path), 20),
    )


def problems_of(state: SessionState) -> tuple[Diagnostic, ...]:
    """What is wrong with the configuration, and with the providers in it."""
    return (*state.config.diagnostics, *provider_notes(state.config, os.environ))


def told(problem: Diagnostic) -> str:
    """The problem with its place as code, since Markdown gives a meaning to `~` and `_`."""
    place = problem.source if problem.line is None else f"{problem.source}:{problem.line}:{problem.column}"
    return f"{code(place)}: {problem.message}"


def masked(state: SessionState) -> dict[str, Any]:
    """The configuration in force as JSON values, with `[secret]` in the place of everything that may be one."""
    values = state.config.config.model_dump(by_alias=True, exclude_unset=True, mode="json")
    values.pop("$schema", None)
    return masked_values(values, state.config.secrets)


def _found(values: Any, key: str) -> tuple[tuple[str | int, ...] | None, Any]:
    """The path and the value that `a.b.c` or `a[0]` means. Names may hold dots, so whole paths are compared."""
    return next(((path, value) for path, value in _walk((), values) if dotted(path) == key), (None, None))


def _walk(path: tuple[str | int, ...], value: Any) -> Any:
    if path:
        yield path, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _walk((*path, name), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk((*path, index), item)


def _paths(values: Any) -> list[tuple[str | int, ...]]:
    return [path for path, _ in _walk((), values)]


def _leaves(path: tuple[str | int, ...], value: Any) -> list[tuple[str | int, ...]]:
    return [each for each, item in _walk(path, value) if not isinstance(item, dict | list)]


def _outweighed(state: SessionState, path: tuple[str | int, ...]) -> list[str]:
    """The files that also say something at this path, apart from the one whose value is in force."""
    winner = place_of(state, path)
    found = []
    for source in state.config.sources:
        value: Any = source.document.value
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            place = source.diagnostic(path, "", "warning")
            said = f"{place.source}:{place.line}" if place.line is not None else place.source
            if said != winner:
                found.append(code(said))
    return found


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
