"""What the wire modules share: a client that is loaded once, off the event loop, and streams answers."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from acp_agent.llm.errors import Failures
from acp_agent.llm.provider import ModelRequest, ModelStream, ProviderError
from acp_agent.llm.streaming import Client, Interpreter, Response, Timeouts, VendorStream, causes

# Local servers ask for no key, but an SDK that is given none looks for one in the environment and on the disk.
NO_KEY = "no-key"


class VendorProvider(ABC):
    """A `Provider` over HTTP: loads its client once, in a thread, and streams answers.

    `env` names the variables that hold the key, for messages. Without a key none is looked for.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str | None,
        headers: Mapping[str, str] | None = None,
        *,
        env: Sequence[str] = (),
        timeouts: Timeouts | None = None,
    ) -> None:
        self.name = name
        self.base_url = base_url
        self.headers = dict(headers or {})
        self.timeouts = timeouts or Timeouts()
        try:
            parts = urlsplit(base_url)
            self.host = parts.hostname or ""
            self._url_secrets = [part for part in (parts.password, parts.query) if part]
        except ValueError:
            self.host, self._url_secrets = "", []
        self._api_key = (api_key or "").strip() or NO_KEY
        self._env = tuple(env)
        self._lock = threading.Lock()
        self._client: Client | None = None

    @abstractmethod
    def load(self) -> Client:
        """Import the SDK and build its client. Runs in a worker thread."""

    @abstractmethod
    def body(self, request: ModelRequest) -> dict[str, Any]:
        """The request as the vendor wants it."""

    @abstractmethod
    def interpreter(self, request: ModelRequest, failures: Failures) -> Interpreter:
        """A reader for the answer to a request."""

    def direct_hosts(self) -> dict[str, None]:
        """The HTTP client's `mounts`: a proxy of the environment is not asked for a server on this machine."""
        host = self.host
        if host == "localhost" or host == "::1" or host.startswith("127."):
            return {f"all://[{host}]" if ":" in host else f"all://{host}": None}
        return {}

    async def warm(self) -> None:
        """Import what a stream needs, off the event loop. May be called any number of times."""
        await self._ready(self._failures(""))

    async def aclose(self) -> None:
        """Close the connections. The provider is not used after this."""
        client, self._client = self._client, None
        if client is not None:
            with anyio.move_on_after(1, shield=True):
                await client.close()

    @asynccontextmanager
    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelStream]:
        """Open a stream; leaving the context closes the connection at once. Entering may raise `ProviderError`."""
        failures = self._failures(request.model)
        if not self._api_key.isascii() or not self._api_key.isprintable() or " " in self._api_key:
            raise failures.bad_key()
        client = await self._ready(failures)
        first_by = anyio.current_time() + self.timeouts.first_byte
        response: Response | None = None
        try:
            with anyio.CancelScope(deadline=first_by):
                response = await client.post(self.body(request))
        except client.faults as error:
            raise self._refused(error, failures) from None
        if response is None:
            raise failures.silent(self.timeouts.first_byte)
        reader = self.interpreter(request, failures)
        answer = VendorStream(client, response, reader, failures, self.timeouts, first_by)
        try:
            if "text/html" in response.headers.get("content-type", ""):
                raise failures.not_an_answer("the answer is an HTML page")
            yield answer
        finally:
            await answer.aclose()

    async def _ready(self, failures: Failures) -> Client:
        if self._client is not None:
            return self._client
        if not self.base_url.startswith(("http://", "https://")) or not self.host:
            raise failures.unreachable([("InvalidURL", f"{self.base_url!r} is not an address")], "")
        try:
            # Abandoned by a cancelled prompt, the thread still finishes its work for the next one.
            return await anyio.to_thread.run_sync(self._load_once, abandon_on_cancel=True)
        except ImportError as error:
            raise failures.no_sdk(error.name or "") from error
        except (ValueError, OSError) as error:
            raise failures.unreachable(causes(error), self.host) from None

    def _load_once(self) -> Client:
        with self._lock:
            if self._client is None:
                self._client = self.load()
            return self._client

    def _failures(self, model: str) -> Failures:
        secrets = [self._api_key, *self.headers.values(), *self._url_secrets]
        return Failures(self.name, model, self._env, [secret for secret in secrets if secret != NO_KEY])

    def _refused(self, error: Exception, failures: Failures) -> ProviderError:
        response = getattr(error, "response", None)
        if response is not None:
            return failures.answered(response.status_code, dict(response.headers), response.text)
        return failures.unreachable(causes(error), self.host)
