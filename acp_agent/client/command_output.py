"""How a client sees the output of a command: as text, or as a terminal if it knows those that the agent owns.

A tool shows text with a mark (`tools/shown_output.py`). Here the mark is taken off, and for a client with
`_meta.terminal_output` among its capabilities the text becomes a terminal: `terminal_info` opens it, `terminal_output`
carries what is new, `terminal_exit` ends it, all in `_meta` and all under the id of the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from acp_agent.schema import (
    SessionUpdate,
    TerminalContent,
    TextContent,
    ToolCallContent,
    ToolCallProgress,
    ToolCallStart,
    ToolContent,
)
from acp_agent.tools.shown_output import TERMINAL
from acp_agent.tools.truncate import clip_bytes, unfenced

_Call = ToolCallStart | ToolCallProgress

_PIECE_BYTES = 32 * 1024


class CommandOutput:
    """The commands that one client is shown. `terminals` says whether it knows terminals that the agent owns."""

    def __init__(self, *, terminals: bool) -> None:
        self._terminals = terminals
        self._shown: dict[tuple[str, str], str] = {}
        """The terminal in which each running call is shown: its own id, or one that the client made."""

    def project(self, session_id: str, update: SessionUpdate) -> Sequence[SessionUpdate]:
        """What to send for an update, which for most is the update itself."""
        if not isinstance(update, ToolCallStart | ToolCallProgress):
            return (update,)
        key = (session_id, update.tool_call_id)
        mark, plain = _without_mark(update)
        ended = update.status in ("completed", "failed")
        terminal = self._shown.get(key)
        if update.content and isinstance(update.content[0], TerminalContent):
            self._shown[key] = update.content[0].terminal_id
            return (plain,)
        if isinstance(update, ToolCallStart) or ended:  # a replay begins the call anew
            self._shown.pop(key, None)
        elif mark is not None and terminal != update.tool_call_id:  # a terminal of the client's that ran nothing
            self._shown.pop(key, None)
            terminal = None
        if isinstance(update, ToolCallStart) and not ended:
            return (_announced(update) if self._terminals and update.kind == "execute" else plain,)
        if terminal is not None and ended and isinstance(update, ToolCallProgress):
            if terminal != update.tool_call_id:
                return (_in_client(plain, terminal),)
            return _in_pieces(_closed(plain, mark))
        if mark is None:
            return (plain,)
        if not self._terminals:
            return () if _text(plain) == "" and not ended else (plain,)
        if ended:
            return _finished(plain, mark)
        if terminal is None:
            self._shown[key] = update.tool_call_id
            return (_opened(plain, mark),)
        return _in_pieces(_more(plain, mark))


def _without_mark(update: _Call) -> tuple[dict[str, Any] | None, _Call]:
    """The mark of an update, if it has one, and the update without it."""
    meta = dict(update.meta or {})
    found = [meta.pop(TERMINAL, None)]
    content = []
    for item in update.content or ():
        if item.meta and TERMINAL in item.meta:
            others = {name: value for name, value in item.meta.items() if name != TERMINAL}
            found.insert(0, item.meta[TERMINAL])
            item = item.model_copy(update={"meta": others or None})
        content.append(item)
    marks = [each for each in found if isinstance(each, dict)]
    if not marks:
        return None, update
    plain = update.model_copy(update={"meta": meta or None, "content": content if update.content is not None else None})
    return {name: value for each in marks for name, value in each.items()}, plain


def _text(update: _Call) -> str:
    for item in update.content or ():
        if isinstance(item, ToolContent) and isinstance(item.content, TextContent):
            return item.content.text
    return ""


def _remarks(text: str) -> str:
    """What the end of a command says beyond its exit code and signal, which the client shows in its own way."""
    lines = unfenced(text)[1].split("\n")
    told = [line for line in lines if line and not line.startswith(("[exit code ", "[ended by "))]
    return "".join(f"\n{line}" for line in told) + ("\n" if told else "")


def _announced(update: ToolCallStart) -> ToolCallStart:
    """A command whose arguments are not known yet. A client exists that takes terminals from `tool_call` alone."""
    return update.model_copy(update={"meta": {**(update.meta or {}), "terminal_info": {"terminal_id": _id(update)}}})


def _opened(update: _Call, mark: Mapping[str, Any]) -> _Call:
    """The first that is seen of a command: mostly its start; for a client that comes later, the output so far."""
    return _with(update, cwd=mark.get("cwd"), data=unfenced(_text(update))[0])


def _more(update: _Call, mark: Mapping[str, Any]) -> _Call:
    """New output, and nothing again that the client knows: this comes ten times a second."""
    shown = _with(update, data=mark.get("data", ""))
    return shown.model_copy(update={"content": None, "raw_input": None, "locations": None})


def _closed(update: _Call, mark: Mapping[str, Any] | None) -> _Call:
    """The end of a terminal that was open: the rest of the output, and what the exit does not tell."""
    if mark is None:  # cut off before the tool could tell: the text says why
        return _with(update, ending={}, data=f"\n{_text(update)}\n")
    return _with(update, ending=mark, data=mark.get("data", "") + _remarks(_text(update)))


def _finished(update: _Call, mark: Mapping[str, Any]) -> Sequence[_Call]:
    """A command that ended before the client saw it, as in a replay: opened, filled and ended at once.

    As a `tool_call` it takes two updates, since a client exists that takes output and exit from updates alone.
    """
    text = _text(update)
    output = unfenced(text)[0]
    data = f"{output}\n" if output else ""
    whole = _with(update, cwd=mark.get("cwd"), data=data + _remarks(text), ending=mark)
    if isinstance(update, ToolCallProgress):
        return (whole,)
    again = ToolCallProgress(
        tool_call_id=update.tool_call_id,
        title=update.title,
        name=update.name,
        kind=update.kind,
        status=update.status,
        content=whole.content,
        meta=whole.meta,
    )
    return (_with(update, cwd=mark.get("cwd")), again)


def _with(update: _Call, *, cwd: str | None = None, data: str = "", ending: Mapping[str, Any] | None = None) -> _Call:
    """The update with its text replaced by the terminal; `cwd` opens it, `data` is output, `ending` ends it."""
    meta: dict[str, Any] = dict(update.meta or {})
    if cwd is not None:
        meta["terminal_info"] = {"terminal_id": _id(update), "cwd": cwd}
    if data:
        meta["terminal_output"] = {"terminal_id": _id(update), "data": data}
    if ending is not None:
        codes = {"exit_code": ending.get("exitCode"), "signal": ending.get("signal")}
        meta["terminal_exit"] = {"terminal_id": _id(update), **codes}
    content: list[ToolCallContent] = [TerminalContent(terminal_id=_id(update))]
    return update.model_copy(update={"content": content, "meta": meta or None})


def _in_pieces(update: _Call) -> Sequence[_Call]:
    """The update; where its output is long, behind others that bring the output up to its last piece."""
    meta = update.meta or {}
    data = meta.get("terminal_output", {}).get("data", "")
    pieces = []
    while data:
        pieces.append(clip_bytes(data[:_PIECE_BYTES], _PIECE_BYTES))
        data = data[len(pieces[-1]) :]
    if len(pieces) < 2:
        return (update,)
    outputs = [{"terminal_output": {"terminal_id": _id(update), "data": piece}} for piece in pieces]
    earlier = [
        ToolCallProgress(
            tool_call_id=update.tool_call_id,
            title=update.title,
            name=update.name,
            kind=update.kind,
            status="in_progress",
            meta=output,
        )
        for output in outputs[:-1]
    ]
    return (*earlier, update.model_copy(update={"meta": {**meta, **outputs[-1]}}))


def _in_client(update: _Call, terminal: str) -> _Call:
    """The end of a command that ran in the client: its terminal stays, and a line says how it ended."""
    ending = unfenced(_text(update))[1].strip("\n")
    content: list[ToolCallContent] = [TerminalContent(terminal_id=terminal)]
    if ending:
        content.append(ToolContent(content=TextContent(text=ending)))
    return update.model_copy(update={"content": content})


def _id(update: _Call) -> str:
    return update.tool_call_id
