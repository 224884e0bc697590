"""`authenticate` and `logout`."""

from acp_agent.schema.base import Wire


class AuthenticateRequest(Wire):
    """The method, out of those in the `initialize` response, by which the person signs in."""

    method_id: str


class AuthenticateResponse(Wire):
    """The person is signed in."""


class LogoutRequest(Wire):
    """Forget who is signed in."""


class LogoutResponse(Wire):
    """Nobody is signed in."""
