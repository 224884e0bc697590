"""Messages of the protocol itself, which either side may send."""

from typing import Any

from acp_agent.schema.base import Wire


class CancelRequestNotification(Wire):
    """Give up a request that the receiver has not answered yet; one it does not know is ignored."""

    request_id: int | str | None

    def wire(self) -> dict[str, Any]:
        """Like every type, except that an id which is null stands there: the field is required."""
        return {"requestId": self.request_id, **super().wire()}
