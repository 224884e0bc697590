"""The configuration in force: found, read, checked and merged. Nothing that a file holds stops this.

Precedence, lowest first: the global files, `OPENCODE_CONFIG`, the project's files from the root of the worktree down to
the working directory, `OPENCODE_CONFIG_CONTENT`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acp_agent.config import jsonc
from acp_agent.config.check import Finding, check
from acp_agent.config.diagnostic import Diagnostic, Layer, Severity, shown
from acp_agent.config.files import (
    UnreadableError,
    candidates,
    home_directory,
    read_bytes,
    worktree_root,
)
from acp_agent.config.merge import Merged, Origin
from acp_agent.config.models import Config
from acp_agent.config.substitute import Substituted, Surroundings, substitute

MAX_BYTES = 1024 * 1024
CONTENT = "OPENCODE_CONFIG_CONTENT"

_MASK = "[secret]"
_SHORTEST_MASKED = 8
_SECRET_HEADER = ("auth", "key", "token", "secret", "cookie", "password", "credential")


@dataclass(frozen=True, eq=False)
class Source:
    """One file that was read, or the content variable; `shown` is its name in messages."""

    layer: Layer
    shown: str
    document: jsonc.Document
    substituted: frozenset[jsonc.Path]
    dropped: frozenset[jsonc.Path]

    def diagnostic(self, path: jsonc.Path, message: str, severity: Severity, *, of_key: bool = False) -> Diagnostic:
        """A diagnostic at a path of the file."""
        line, column = self.document.position(path, of_key=of_key)
        return Diagnostic(self.shown, line, column, message, severity)

    def written_at(self, path: jsonc.Path) -> jsonc.Path:
        """The path in the file of a value in the checked tree, whose lists are shorter by what was dropped."""
        made: jsonc.Path = ()
        for part in path:
            if isinstance(part, int):
                before = [index for *parent, index in self.dropped if tuple(parent) == made and isinstance(index, int)]
                for index in sorted(before):
                    part += index <= part
            made = (*made, part)
        return made


@dataclass(frozen=True, eq=False)
class LoadedConfig:
    """The merged configuration, what was wrong with it, and where each value came from.

    `secrets` are values that must never be shown: whatever a reference was replaced by, keys, and headers that look
    like one. `variables` names the environment variables that were read by `{env:}`.
    """

    config: Config
    diagnostics: tuple[Diagnostic, ...]
    secrets: frozenset[str]
    variables: frozenset[str]
    sources: tuple[Source, ...]
    _origins: Mapping[jsonc.Path, Origin[Source]] = field(repr=False)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that say something was ignored."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error")

    def origin(self, path: jsonc.Path) -> Layer | None:
        """The layer of the value in force at a path: keys as the file writes them (`"baseURL"`), list indexes as int.

        For an object that several layers add to, the highest of them. None if nothing is configured there.
        """
        found = self._origins.get(path)
        return found.source.layer if found else None

    def is_substituted(self, path: jsonc.Path) -> bool:
        """Whether the value at the path, or one inside it, was made from `{env:}` or `{file:}`."""
        return any(
            origin.source.written_at(origin.path) in origin.source.substituted
            for here, origin in self._origins.items()
            if here[: len(path)] == path
        )

    def diagnostic(self, path: jsonc.Path, message: str, severity: Severity = "error") -> Diagnostic:
        """A diagnostic at the place where the value in force at `path` (or its nearest parent) is written."""
        for length in range(len(path), 0, -1):
            found = self._origins.get(path[:length])
            if found is not None:
                return found.source.diagnostic(
                    found.source.written_at(found.path), _masked(message, self.secrets), severity
                )
        return Diagnostic("configuration", None, None, _masked(message, self.secrets), severity)


def load(cwd: Path, environ: Mapping[str, str], home: Path | None = None) -> LoadedConfig:
    """Read everything that applies to a session in `cwd` (absolute). Never raises for what a file or variable holds."""
    loading = _Loading(cwd, environ, home or home_directory(environ))
    loading.read_all()
    return loading.result()


class _Loading:
    def __init__(self, cwd: Path, environ: Mapping[str, str], home: Path) -> None:
        self._cwd = cwd
        self._environ = environ
        self._home = home
        self._project = worktree_root(cwd) or cwd
        self._merged: Merged[Source] = Merged()
        self._sources: list[Source] = []
        self._diagnostics: list[Diagnostic] = []
        self._secrets: set[str] = set()
        self._variables: set[str] = set()

    def read_all(self) -> None:
        for layer, path in candidates(self._cwd, self._environ, self._home):
            said = shown(path, self._home)
            try:
                data, more = read_bytes(path, MAX_BYTES)
            except FileNotFoundError:
                if layer is Layer.CUSTOM:
                    self._ignored(said, "this file, which OPENCODE_CONFIG names, does not exist")
            except UnreadableError as error:
                self._ignored(said, f"{error}; it is ignored")
            else:
                self._add(layer, said, data, path.parent, more)
        content = self._environ.get(CONTENT, "")
        if content.strip():
            data = content.encode("utf-8", "surrogatepass")
            self._add(Layer.CONTENT, CONTENT, data, self._cwd, len(data) > MAX_BYTES)

    def result(self) -> LoadedConfig:
        config = Config.model_validate(self._merged.tree)
        self._secrets.update(_keys_and_headers(config))
        secrets = frozenset(self._secrets)
        return LoadedConfig(
            config=config,
            diagnostics=tuple(
                Diagnostic(said.source, said.line, said.column, _masked(said.message, secrets), said.severity)
                for said in self._diagnostics
            ),
            secrets=secrets,
            variables=frozenset(self._variables),
            sources=tuple(self._sources),
            _origins=self._merged.origins,
        )

    def _ignored(self, said: str, message: str, line: int | None = None, column: int | None = None) -> None:
        self._diagnostics.append(Diagnostic(said, line, column, message))

    def _add(self, layer: Layer, said: str, data: bytes, folder: Path, more: bool) -> None:
        if more:
            self._ignored(said, f"is larger than {MAX_BYTES // 1024} KiB; it is ignored")
            return
        document = self._parsed(said, data)
        if document is None:
            return
        for problem in document.problems:
            self._diagnostics.append(Diagnostic(said, problem.line, problem.column, problem.message, "warning"))
        within = self._project if layer is Layer.PROJECT else None
        tree, done = substitute(document.value, Surroundings(self._environ, self._home, folder, within))
        tree, findings = check(tree)
        dropped = frozenset(finding.path for finding in findings if finding.path)
        source = Source(layer, said, document, frozenset(done.paths), dropped)
        self._sources.append(source)
        self._report(source, findings, done)
        self._merged.add(source, tree)

    def _parsed(self, said: str, data: bytes) -> jsonc.Document | None:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8")
            line = before.count("\n") + 1
            column = len(before) - (before.rfind("\n") + 1) + 1
            self._ignored(said, "the file is not UTF-8 from here on; the whole file is ignored", line, column)
            return None
        if not text.strip("\ufeff \t\r\n"):
            return None  # an empty file says nothing, and nothing wrong
        document = jsonc.parse(text)
        if document.fatal is not None:
            line, column, message = document.fatal
            self._ignored(said, f"{message}; the whole file is ignored", line, column)
            return None
        if not isinstance(document.value, dict):
            self._ignored(said, "expected an object in { }; the whole file is ignored", *document.position(()))
            return None
        return document

    def _report(self, source: Source, findings: Iterable[Finding], done: Substituted) -> None:
        self._secrets |= done.secrets
        self._variables |= done.variables
        said = [source.diagnostic(path, message, "warning") for path, message in done.missing]
        for finding in findings:
            said.append(source.diagnostic(finding.path, finding.message, finding.severity, of_key=finding.of_key))
        self._diagnostics += sorted(said, key=lambda diagnostic: (diagnostic.line or 0, diagnostic.column or 0))


def _keys_and_headers(config: Config) -> Iterable[str]:
    for provider in config.provider.values():
        options = provider.options
        fields: list[tuple[str, Any]] = [("apiKey", options.api_key), *(options.model_extra or {}).items()]
        fields += options.headers.items()
        for model in provider.models.values():
            fields += model.headers.items()
        yield from _secret_fields(fields)
    for server in config.mcp.values():
        yield from _secret_fields([*server.headers.items(), *server.environment.items()])


def _secret_fields(fields: Iterable[tuple[str, Any]]) -> Iterable[str]:
    for name, value in fields:
        if isinstance(value, str) and value and any(word in name.lower() for word in _SECRET_HEADER):
            yield value
            scheme, _, rest = value.partition(" ")
            if rest and scheme.lower() in ("bearer", "basic", "token"):
                yield rest


def _masked(message: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_MASKED:
            message = message.replace(secret, _MASK)
    return message
