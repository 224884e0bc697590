"""Laying one configuration over another, and remembering where each value came from.

Objects are merged key by key and keep the order in which keys first appeared, lists are replaced (`instructions` is
added to), everything else is replaced. Former names are rewritten to the present ones on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from acp_agent.config.jsonc import Path

S = TypeVar("S")

_EDITING = frozenset({"write", "edit", "patch", "multiedit"})


class Origin(NamedTuple, Generic[S]):
    """A source, and the path in it where a value stands."""

    source: S
    path: Path


class Merged(Generic[S]):
    """The sum of the sources so far. `origins` has an entry for every value, objects and list elements included."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.origins: dict[Path, Origin[S]] = {}

    def add(self, source: S, tree: dict[str, Any]) -> None:
        """Lay a checked tree over the sum."""
        for target, value, path in _present_form(tree):
            folder = self._folder(target[:-1], Origin(source, path))
            self._put(folder, target, value, Origin(source, path))

    def _folder(self, target: Path, origin: Origin[S]) -> dict[str, Any]:
        folder = self.tree
        for depth, key in enumerate(target, 1):
            here = target[:depth]
            if not isinstance(folder.get(str(key)), dict):
                self._put(folder, here, {}, origin)
            folder = folder[str(key)]
        return folder

    def _put(self, folder: dict[str, Any], here: Path, value: Any, origin: Origin[S]) -> None:
        key = str(here[-1])
        held = folder.get(key)
        if isinstance(held, str) and isinstance(value, dict) and _holds_rules(here):
            # One action for everything is the pattern * of an object of rules.
            folder[key] = held = {"*": held}
            self.origins[(*here, "*")] = self.origins[here]
        elif isinstance(held, dict) and isinstance(value, str) and _is_permission(here):
            value = {"*": value}
        if isinstance(held, dict) and isinstance(value, dict):
            self.origins[here] = origin
            for inner, item in value.items():
                self._put(held, (*here, inner), item, Origin(origin.source, (*origin.path, inner)))
        elif here == ("instructions",) and isinstance(held, list):
            self._extend(held, value, origin)
        else:
            self._forget(here)
            folder[key] = self._recorded(here, value, origin)

    def _extend(self, held: list[Any], value: list[Any], origin: Origin[S]) -> None:
        self.origins[("instructions",)] = origin
        for index, item in enumerate(value):
            if item not in held:
                self.origins["instructions", len(held)] = Origin(origin.source, (*origin.path, index))
                held.append(item)

    def _recorded(self, here: Path, value: Any, origin: Origin[S]) -> Any:
        self.origins[here] = origin
        if isinstance(value, dict):
            return {
                key: self._recorded((*here, key), item, Origin(origin.source, (*origin.path, key)))
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [
                self._recorded((*here, index), item, Origin(origin.source, (*origin.path, index)))
                for index, item in enumerate(value)
            ]
        return value

    def _forget(self, here: Path) -> None:
        if here in self.origins:
            for path in [path for path in self.origins if path[: len(here)] == here]:
                del self.origins[path]


def _is_permission(path: Path) -> bool:
    return path == ("permission",) or (len(path) == 3 and path[0] == "agent" and path[2] == "permission")


def _holds_rules(path: Path) -> bool:
    return _is_permission(path) or _is_permission(path[:-1])


def _present_form(tree: dict[str, Any]) -> Iterator[tuple[Path, Any, Path]]:
    """The values of one file as (path now, value, path in the file); former names first, so that present ones win."""
    yield from _from_tools(tree.get("tools"), ("permission",), ("tools",))
    for section in ("mode", "agent"):
        for key, agent in tree.get(section, {}).items():
            yield from _agent(agent, ("agent", key), (section, key))
            if section == "mode" and "mode" not in agent:
                yield ("agent", key, "mode"), "primary", (section, key)
    for key, value in tree.items():
        if key not in ("tools", "mode", "agent"):
            yield (key,), value, (key,)


def _agent(agent: dict[str, Any], target: Path, path: Path) -> Iterator[tuple[Path, Any, Path]]:
    yield target, {}, path
    yield from _from_tools(agent.get("tools"), (*target, "permission"), (*path, "tools"))
    if "maxSteps" in agent and "steps" not in agent:
        yield (*target, "steps"), agent["maxSteps"], (*path, "maxSteps")
    for key, value in agent.items():
        if key not in ("tools", "maxSteps"):
            yield (*target, key), value, (*path, key)


def _from_tools(tools: dict[str, bool] | None, target: Path, path: Path) -> Iterator[tuple[Path, Any, Path]]:
    for tool, wanted in (tools or {}).items():
        permission = "edit" if tool in _EDITING else tool
        yield (*target, permission), "allow" if wanted else "deny", (*path, tool)
