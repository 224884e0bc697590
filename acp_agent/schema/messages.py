"""The table of all ACP messages that are read or written here: method, kind, direction, types."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from acp_agent.schema.authentication import AuthenticateRequest, AuthenticateResponse, LogoutRequest, LogoutResponse
from acp_agent.schema.base import Wire
from acp_agent.schema.elicitation import (
    CompleteElicitationNotification,
    CreateElicitationRequest,
    CreateElicitationResponse,
)
from acp_agent.schema.file_system import (
    ReadTextFileRequest,
    ReadTextFileResponse,
    WriteTextFileRequest,
    WriteTextFileResponse,
)
from acp_agent.schema.initialization import InitializeRequest, InitializeResponse
from acp_agent.schema.legacy import SetSessionModelRequest, SetSessionModelResponse
from acp_agent.schema.prompt_turn import CancelNotification, PromptRequest, PromptResponse
from acp_agent.schema.protocol import CancelRequestNotification
from acp_agent.schema.session_config_options import SetSessionConfigOptionRequest, SetSessionConfigOptionResponse
from acp_agent.schema.session_modes import SetSessionModeRequest, SetSessionModeResponse
from acp_agent.schema.session_setup import (
    CloseSessionRequest,
    CloseSessionResponse,
    DeleteSessionRequest,
    DeleteSessionResponse,
    ListSessionsRequest,
    ListSessionsResponse,
    LoadSessionRequest,
    LoadSessionResponse,
    NewSessionRequest,
    NewSessionResponse,
    ResumeSessionRequest,
    ResumeSessionResponse,
)
from acp_agent.schema.terminals import (
    CreateTerminalRequest,
    CreateTerminalResponse,
    KillTerminalRequest,
    KillTerminalResponse,
    ReleaseTerminalRequest,
    ReleaseTerminalResponse,
    TerminalOutputRequest,
    TerminalOutputResponse,
    WaitForTerminalExitRequest,
    WaitForTerminalExitResponse,
)
from acp_agent.schema.tool_calls import RequestPermissionRequest, RequestPermissionResponse
from acp_agent.schema.unstable import (
    SessionOptionsRequest,
    SessionOptionsResponse,
    SessionStatusRequest,
    SessionStatusResponse,
    SetSessionTitleRequest,
    SetSessionTitleResponse,
    SteeringRequest,
    SteeringResponse,
)
from acp_agent.schema.updates import SessionNotification

Direction: TypeAlias = Literal["agent", "client", "both"]


@dataclass(frozen=True, slots=True)
class MessageTypes:
    """The types of a method. `direction` is who receives it; a notification has no `result`."""

    direction: Direction
    params: type[Wire]
    result: type[Wire] | None = None

    @property
    def kind(self) -> Literal["request", "notification"]:
        """A method with a result is a request."""
        return "notification" if self.result is None else "request"


message_types: dict[str, MessageTypes] = {
    "initialize": MessageTypes("agent", InitializeRequest, InitializeResponse),
    "authenticate": MessageTypes("agent", AuthenticateRequest, AuthenticateResponse),
    "logout": MessageTypes("agent", LogoutRequest, LogoutResponse),
    "session/new": MessageTypes("agent", NewSessionRequest, NewSessionResponse),
    "session/load": MessageTypes("agent", LoadSessionRequest, LoadSessionResponse),
    "session/resume": MessageTypes("agent", ResumeSessionRequest, ResumeSessionResponse),
    "session/list": MessageTypes("agent", ListSessionsRequest, ListSessionsResponse),
    "session/close": MessageTypes("agent", CloseSessionRequest, CloseSessionResponse),
    "session/delete": MessageTypes("agent", DeleteSessionRequest, DeleteSessionResponse),
    "session/prompt": MessageTypes("agent", PromptRequest, PromptResponse),
    "session/cancel": MessageTypes("agent", CancelNotification),
    "session/set_mode": MessageTypes("agent", SetSessionModeRequest, SetSessionModeResponse),
    "session/set_model": MessageTypes("agent", SetSessionModelRequest, SetSessionModelResponse),
    "session/set_config_option": MessageTypes("agent", SetSessionConfigOptionRequest, SetSessionConfigOptionResponse),
    "session/set_title": MessageTypes("agent", SetSessionTitleRequest, SetSessionTitleResponse),
    "session/status": MessageTypes("agent", SessionStatusRequest, SessionStatusResponse),
    "session/options": MessageTypes("agent", SessionOptionsRequest, SessionOptionsResponse),
    "_session/steering": MessageTypes("agent", SteeringRequest, SteeringResponse),
    "session/update": MessageTypes("client", SessionNotification),
    "session/request_permission": MessageTypes("client", RequestPermissionRequest, RequestPermissionResponse),
    "fs/read_text_file": MessageTypes("client", ReadTextFileRequest, ReadTextFileResponse),
    "fs/write_text_file": MessageTypes("client", WriteTextFileRequest, WriteTextFileResponse),
    "terminal/create": MessageTypes("client", CreateTerminalRequest, CreateTerminalResponse),
    "terminal/output": MessageTypes("client", TerminalOutputRequest, TerminalOutputResponse),
    "terminal/wait_for_exit": MessageTypes("client", WaitForTerminalExitRequest, WaitForTerminalExitResponse),
    "terminal/kill": MessageTypes("client", KillTerminalRequest, KillTerminalResponse),
    "terminal/release": MessageTypes("client", ReleaseTerminalRequest, ReleaseTerminalResponse),
    "elicitation/create": MessageTypes("client", CreateElicitationRequest, CreateElicitationResponse),
    "elicitation/complete": MessageTypes("client", CompleteElicitationNotification),
    "$/cancel_request": MessageTypes("both", CancelRequestNotification),
}
