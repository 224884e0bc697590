"""One configuration file against the types: what does not fit is left out, and said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import ValidationError

from acp_agent.config.diagnostic import Severity, dotted, name
from acp_agent.config.jsonc import Path
from acp_agent.config.models import (
    ACTION,
    RULES,
    AcpConfig,
    AgentConfig,
    Config,
    CostConfig,
    LimitConfig,
    McpConfig,
    ModalitiesConfig,
    ModelConfig,
    ProviderConfig,
    ProviderOptions,
    Section,
)

SECTIONS: tuple[tuple[tuple[str, ...], type[Section]], ...] = (
    ((), Config),
    (("acp",), AcpConfig),
    (("agent", "*"), AgentConfig),
    (("mode", "*"), AgentConfig),
    (("mcp", "*"), McpConfig),
    (("provider", "*"), ProviderConfig),
    (("provider", "*", "options"), ProviderOptions),
    (("provider", "*", "models", "*"), ModelConfig),
    (("provider", "*", "models", "*", "limit"), LimitConfig),
    (("provider", "*", "models", "*", "modalities"), ModalitiesConfig),
    (("provider", "*", "models", "*", "cost"), CostConfig),
)
"""Where in a file which keys are known; `*` stands for any key."""

_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "dict_type": "an object in { }",
    "model_type": "an object in { }",
    "model_attributes_type": "an object in { }",
    "list_type": "a list in [ ]",
    "greater_than": "a number above 0",
    "union_tag_not_found": '"ask", "allow", "deny" or an object of rules',
}
_FORMER_NAMES = {"mcpServers": "mcp", "permissions": "permission", "rules": "instructions", "systemPrompt": "prompt"}


class Finding(NamedTuple):
    """Something about the value (or, with `of_key`, the key) at a path."""

    path: Path
    message: str
    severity: Severity
    of_key: bool = False


def check(tree: dict[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """A copy of the tree that fits `Config`, and what was wrong.

    A wrong value is left out, but in a permission it becomes "ask": leaving out a rule could allow what it forbade.
    """
    findings: list[Finding] = []
    tree = _copy(tree)
    for path, section, keys in list(_sections(tree)):
        _check_keys(path, section, keys, findings)
    # Usually one pass; a second where a replaced value uncovers another error.
    for _ in range(4):
        try:
            Config.model_validate(tree)
            break
        except ValidationError as error:
            _repair(tree, error, findings)
    else:
        findings.append(Finding((), "nothing in this file can be used", "error"))
        tree = {}
    return tree, findings


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _sections(tree: dict[str, Any]) -> Iterator[tuple[Path, type[Section], dict[str, Any]]]:
    for pattern, section in SECTIONS:
        found: list[tuple[Path, Any]] = [((), tree)]
        for part in pattern:
            found = [
                ((*path, key), value[key])
                for path, value in found
                if isinstance(value, dict)
                for key in (list(value) if part == "*" else [part])
                if key in value
            ]
        yield from ((path, section, value) for path, value in found if isinstance(value, dict))


def _check_keys(path: Path, section: type[Section], keys: dict[str, Any], findings: list[Finding]) -> None:
    fields = {field.alias or field_name: field for field_name, field in section.model_fields.items()}
    known = set(fields)
    present = {key for key, field in fields.items() if not field.json_schema_extra}
    open_ended = section.model_config.get("extra") == "allow"
    for key in list(keys):
        here = (*path, key)
        if key in known:
            if keys[key] is None:
                del keys[key]
                findings.append(Finding(here, f"{dotted(here)}: null stands for nothing; the key is ignored", "error"))
        elif key in section.elsewhere:
            del keys[key]
        elif open_ended:
            meant = [candidate for candidate in known if _folded(candidate) == _folded(key)]
            if meant:
                message = (
                    f'{dotted(here)}: did you mean "{meant[0]}"? The key is passed on to the provider as it stands'
                )
                findings.append(Finding(here, message, "warning", of_key=True))
        else:
            del keys[key]
            where = f" in {dotted(path)}" if path else ""
            findings.append(
                Finding(
                    here,
                    f"unknown key {name(key)}{where} is ignored{_did_you_mean(key, present | section.elsewhere)}",
                    "warning",
                    of_key=True,
                )
            )


def _did_you_mean(key: str, known: set[str] | frozenset[str]) -> str:
    if _FORMER_NAMES.get(key) in known:
        return f'; did you mean "{_FORMER_NAMES[key]}"?'
    import difflib

    by_folded = {_folded(candidate): candidate for candidate in sorted(known)}
    close = difflib.get_close_matches(_folded(key), by_folded, n=1, cutoff=0.7)
    return f'; did you mean "{by_folded[close[0]]}"?' if close else ""


def _folded(key: str) -> str:
    return key[:60].lower().replace("_", "").replace("-", "")


def _repair(tree: dict[str, Any], error: ValidationError, findings: list[Finding]) -> None:
    expected: dict[Path, list[str]] = {}
    for detail in error.errors(include_url=False, include_context=True, include_input=False):
        said = _expected(detail["type"], detail.get("ctx", {}))
        alternatives = expected.setdefault(_path_in(tree, detail["loc"]), [])
        if said not in alternatives:
            alternatives.append(said)
    # Backwards, so that the indexes of a list stay right while elements are taken out.
    for path in sorted(expected, key=lambda path: [(isinstance(part, int), part) for part in path], reverse=True):
        found = _kind(_get(tree, path), " or ".join(expected[path]))
        in_permission = _in_permission(path)
        if in_permission:
            _set(tree, path, "ask")
        else:
            _remove(tree, path)
        findings.append(
            Finding(
                path,
                f"{dotted(path)}: expected {' or '.join(expected[path])}, found {found}; "
                + ('"ask" is used' if in_permission else "it is ignored"),
                "error",
            )
        )


def _expected(kind: str, context: dict[str, Any]) -> str:
    if kind == "literal_error":
        return str(context["expected"]).replace("'", '"').replace("False", "false")
    return _EXPECTED.get(kind, "another value")


def _path_in(root: Any, location: tuple[int | str, ...]) -> Path:
    """Only what is really in the tree: a location also names the members of unions."""
    tree: Any = root
    path: list[str | int] = []
    for part in location:
        if part in (ACTION, RULES):
            continue
        if (isinstance(tree, dict) and part in tree) or (isinstance(tree, list) and isinstance(part, int)):
            tree = tree[part]  # type: ignore[index]  # a list only gets here with an int
            path.append(part)
    return tuple(path)


def _in_permission(path: Path) -> bool:
    return path[:1] == ("permission",) or (path[:1] in (("agent",), ("mode",)) and path[2:3] == ("permission",))


def _kind(value: Any, expected: str) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return "another number" if "number" in expected else "a number"
        case str():
            return "other text" if '"' in expected else "text"
        case list():
            return "a list"
        case _:
            return "an object"


def _get(tree: Any, path: Path) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _set(tree: Any, path: Path, value: Any) -> None:
    _get(tree, path[:-1])[path[-1]] = value


def _remove(tree: Any, path: Path) -> None:
    if path:
        del _get(tree, path[:-1])[path[-1]]
