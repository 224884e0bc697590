"""Writing a whole file so that a reader sees the old or the new text, never half of one."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path

from acp_agent.tools.base import ToolError

# A file mounted into a container, or a folder without write permission, takes no replacement; its text can be written.
_ONLY_IN_PLACE = frozenset({errno.EBUSY, errno.EACCES, errno.EPERM, errno.EXDEV})


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`: links followed, mode and owner kept, missing folders made. Raises `ToolError`."""
    target = os.path.realpath(path)
    try:
        old = _status(target)
        if old is not None and stat.S_ISDIR(old.st_mode):
            raise ToolError(f"{path} is a directory; a file cannot be written in its place.")
        if old is not None and not stat.S_ISREG(old.st_mode):
            raise ToolError(f"{path} is not a regular file (a pipe, socket or device).")
        if old is not None and not os.access(target, os.W_OK):
            raise ToolError(f"{path} is read-only. Change its mode first if it is meant to be changed.")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            _replace(target, data, old)
        except OSError as error:
            if old is None or error.errno not in _ONLY_IN_PLACE:
                raise
            with open(target, "r+b") as file:
                file.write(data)
                file.truncate()
    except OSError as error:
        raise ToolError(f"{path} cannot be written: {error.strerror or error}.") from error


def _status(target: str) -> os.stat_result | None:
    try:
        return os.stat(target)
    except FileNotFoundError:
        return None


def _replace(target: str, data: bytes, old: os.stat_result | None) -> None:
    folder, name = os.path.split(target)
    # The name keeps clear of what editors and build tools watch, and of the 255 bytes that a name may have.
    temporary = os.path.join(folder, f".{name[:40]}.{secrets.token_hex(6)}.tmp")
    # 0o666 leaves the mode of a new file to the umask; the copy of an old file stays closed until it has its mode.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666 if old is None else 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            if old is not None and sys.platform != "win32":
                with suppress(PermissionError):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


_BINARY = getattr(os, "O_BINARY", 0)
