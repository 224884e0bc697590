"""A shell line as a script file that any client can start: its name needs no quotes, and it runs once or not at all.

Some clients execute a program with its arguments, others join both with spaces and give them to a shell. `sh` and a
plain path mean the same to all of them.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Collection
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_TEXT = """\
: > {begun} || exit 126
{unset}if command -v bash >/dev/null 2>&1; then exec bash --noprofile --norc -c -- {line} </dev/null; fi
exec sh -c -- {line} </dev/null
"""


class ShellScript:
    """One script in a private folder of its own, to be withdrawn. Raises `OSError` where no such folder can be made."""

    def __init__(self, line: str, without: Collection[str]) -> None:
        """`line` is for bash; the variables `without` are taken from its environment."""
        import shlex

        if "\x00" in line:
            raise OSError("a NUL character stands in the line")
        self._folder = _private_folder()
        self.path = self._folder / "run"
        names = sorted(name for name in without if _NAME.fullmatch(name))
        text = _TEXT.format(
            begun=self._begun(self._folder),
            line=shlex.quote(line),
            unset=f"unset -v {' '.join(names)}\n" if names else "",
        )
        try:
            with open(
                os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR), "wb"
            ) as file:
                file.write(text.encode("utf-8"))
        except (OSError, UnicodeEncodeError) as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise OSError(str(error)) from error

    @property
    def command(self) -> str:
        """The program."""
        return "sh"

    @property
    def arguments(self) -> list[str]:
        """Its arguments."""
        return [str(self.path)]

    def withdraw(self) -> bool:
        """Take the script away, so that who starts it from now on runs nothing; tells whether it ever began to run."""
        gone = self._folder.with_name(f"{self._folder.name}-gone")
        try:
            os.rename(self._folder, gone)  # at once: the script's first line needs the folder under its name
        except OSError:
            return True  # it cannot be known, and running a line twice is worse than not at all
        begun = self._begun(gone).exists()
        shutil.rmtree(gone, ignore_errors=True)
        return begun

    @staticmethod
    def _begun(folder: Path) -> Path:
        return folder / "begun"


def _private_folder() -> Path:
    """A new folder that only this user may enter, at a path without any character that a shell reads."""
    import tempfile  # with much behind it, and needed by the few who ask for terminals of their editor's

    for parent in dict.fromkeys((os.path.realpath(tempfile.gettempdir()), "/tmp")):
        if _PLAIN.fullmatch(parent) and os.access(parent, os.W_OK):
            return Path(tempfile.mkdtemp(prefix="acp-agent-", dir=parent))
    raise OSError("there is no temporary folder whose name a shell would leave alone")
