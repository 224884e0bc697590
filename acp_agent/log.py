"""The log file: one JSON line for each stage of a turn, with the ids of session, turn and step.

Standard library only, and nothing is opened before the first line: starting must stay cheap. Nothing is ever written
to stderr here, since some clients show it in the chat.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40}

_MAX_BYTES = 5 * 1024 * 1024
_KEEP = 3
_MASK = "[key]"


class Log:
    """Appends JSON lines to `path`, rotated at 5 MB, three old files kept. A log that cannot be written is dropped.

    Secrets registered with `mask` never reach the file.
    """

    def __init__(self, path: Path | None, level: str = "INFO") -> None:
        self._path = path
        self._threshold = LEVELS.get(level.upper(), LEVELS["INFO"])
        self._secrets: set[str] = set()
        self._fd: int | None = None
        self._size = 0

    def mask(self, secrets: Iterable[str]) -> None:
        """Replace these values from now on. Values under 6 characters are left: they would mask ordinary words."""
        for secret in secrets:
            if len(secret) >= 6:
                self._secrets.update((secret, json.dumps(secret)[1:-1]))

    def masked(self, text: str) -> str:
        """The text without any registered secret, as it stands or as JSON writes it."""
        for secret in sorted(self._secrets, key=len, reverse=True):  # one may begin with another
            text = text.replace(secret, _MASK)
        return text

    def __call__(self, event: str, *, level: str = "INFO", **fields: Any) -> None:
        """Write one line: `time` (UTC, seconds since 1970), `level`, `event`, and the fields."""
        if self._path is None or LEVELS[level] < self._threshold:
            return
        record = {"time": round(time.time(), 3), "level": level, "event": event, "pid": os.getpid(), **fields}
        line = self.masked(json.dumps(record, default=str)).encode("ascii", "backslashreplace") + b"\n"
        try:
            self._write(line)
        except OSError:
            self._path = None  # a full or read-only disk must not end a turn, and is not tried again

    def _write(self, line: bytes) -> None:
        if self._fd is None or self._size > _MAX_BYTES:
            self._open()
        assert self._fd is not None
        self._size += os.write(self._fd, line)

    def _open(self) -> None:
        assert self._path is not None
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._path.exists() and self._path.stat().st_size > _MAX_BYTES:
            for number in range(_KEEP - 1, 0, -1):
                older = self._path.with_suffix(f".{number}.log")
                if older.exists():
                    older.replace(self._path.with_suffix(f".{number + 1}.log"))
            self._path.replace(self._path.with_suffix(".1.log"))
        self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._fd).st_size


NO_LOG = Log(None)
