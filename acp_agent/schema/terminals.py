"""`terminal/*`: programs that the client runs for the agent. Whoever creates a terminal must release it."""

from pydantic import Field

from acp_agent.schema.base import Checked, Count, ItemsOrNull, Wire
from acp_agent.schema.session_setup import EnvVariable


class CreateTerminalRequest(Wire):
    """Start a program; of its output the last `output_byte_limit` bytes are kept."""

    session_id: str
    command: str
    args: ItemsOrNull[str] = Field(default_factory=list)
    env: ItemsOrNull[EnvVariable] = Field(default_factory=list)
    cwd: Checked[str | None] = None
    output_byte_limit: Checked[Count | None] = None


class CreateTerminalResponse(Wire):
    """The program was started."""

    terminal_id: str


class TerminalOutputRequest(Wire):
    """The output up to now, without waiting."""

    session_id: str
    terminal_id: str


class TerminalExitStatus(Wire):
    """How a program ended: one of the two, as far as the client knows."""

    exit_code: Count | None = None
    signal: str | None = None


class TerminalOutputResponse(Wire):
    """The output up to now; `truncated` if its beginning is lost. While the program runs there is no exit status."""

    output: str
    truncated: bool
    exit_status: TerminalExitStatus | None = None


class WaitForTerminalExitRequest(Wire):
    """Wait until the program has ended."""

    session_id: str
    terminal_id: str


class WaitForTerminalExitResponse(TerminalExitStatus):
    """How the program ended."""


class KillTerminalRequest(Wire):
    """End the program; the terminal and its output stay."""

    session_id: str
    terminal_id: str


class KillTerminalResponse(Wire):
    """The program was told to end."""


class ReleaseTerminalRequest(Wire):
    """End the program if it runs, and forget the terminal."""

    session_id: str
    terminal_id: str


class ReleaseTerminalResponse(Wire):
    """The terminal does not exist any more."""
