"""What went wrong with a model call, as one line for a person and a kind for the turn.

Works on plain values (status, headers, body, names of exception classes), so that no vendor's SDK is needed.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from acp_agent.llm.provider import ErrorKind, ProviderError

MAX_DETAIL = 300
_MAX_WAIT = 31 * 24 * 3600.0

# What a key looks like, for those that a server echoes in part.
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|gsk|xai|csk|fw|nvapi|hf|ghp|gho|AIza)[-_]?[A-Za-z0-9][A-Za-z0-9_\-*.…]{10,}")
_OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|context (?:length|window|size)|prompt is too long|"
    r"input (?:is|length) .{0,40}(?:too long|exceed)|too many (?:input )?tokens|request_too_large|"
    r"exceeds? the .{0,30}(?:token|context) (?:limit|count)",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient[_ ](?:quota|balance|credit|funds)|billing_|credit balance|payment required|"
    r"exceeded your current quota|usage limit (?:reached|exceeded)|out of credits",
    re.IGNORECASE,
)
_SOON = re.compile(r"per[ _-]?(?:minute|second)|retry in \d|retryDelay", re.IGNORECASE)
_AUTH = re.compile(
    r"authentication_error|permission_error|invalid[_ ]api[_ ]key|api[_ ]key[_ ](?:not valid|invalid)", re.I
)
_RATE = re.compile(r"rate[_ ]limit|too many requests", re.IGNORECASE)
_MISSING = re.compile(r"not_found_error|model_not_found", re.IGNORECASE)
_REFUSED = re.compile(r"invalid_request|bad_request|validation", re.IGNORECASE)


def classify(status: int | None, text: str) -> ErrorKind:
    """The kind of an error answer. `text` is its code, type and message; without a status it came inside a stream."""
    if status == 413 or (status in (None, 400, 422, 500) and _OVERFLOW.search(text)):
        return "context_overflow"
    if status == 402 or (status in (None, 400, 403, 429) and _QUOTA.search(text) and not _SOON.search(text)):
        return "quota"
    if status in (401, 403) or (status in (None, 400) and _AUTH.search(text)):
        return "auth"
    if status == 429 or (status is None and _RATE.search(text)):
        return "rate_limit"
    if status == 404 or (status in (None, 400) and _MISSING.search(text)):
        return "not_found"
    if status is None:
        return "bad_request" if _REFUSED.search(text) else "overloaded"
    if status >= 500 or status in (408, 409, 425):
        return "overloaded"
    return "protocol" if status < 400 else "bad_request"


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by the headers `retry-after-ms` and `retry-after` (seconds or a date); None for nonsense."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(lower[name]) * unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds) and 0 <= seconds <= _MAX_WAIT:
            return seconds
    if not re.search("[a-z]{3}", lower.get("retry-after", ""), re.IGNORECASE):
        return None
    from email.utils import parsedate_to_datetime

    try:
        seconds = parsedate_to_datetime(lower["retry-after"]).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return max(seconds, 0.0) if seconds <= _MAX_WAIT else None


def describe(body: object) -> tuple[str, str]:
    """A vendor's error body as (message for a person, all its words for `classify`); an HTML page has no message."""
    if isinstance(body, str | bytes):
        text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            return ("an HTML page" if _is_html(text) else text), text
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return "", str(body or "")
    error = body.get("error", body)
    if isinstance(error, str):
        return error, f"{error} {body.get('code', '')}"
    if not isinstance(error, dict):
        error = body
    message = next((error[key] for key in ("message", "detail", "msg", "error") if error.get(key)), "")
    if not isinstance(message, str):
        message = json.dumps(message)
    labels = [str(error[key]) for key in ("code", "type", "status") if error.get(key)]
    words = " ".join([*labels, message, json.dumps(error.get("details", ""))])
    if _is_html(message):
        message = "an HTML page"
    return message or " ".join(labels), words


def _is_html(text: str) -> bool:
    start = text[:2000].lstrip().lower()
    return start.startswith("<") or "<html" in start or "<!doctype" in start


@dataclass(frozen=True)
class Failures:
    """Builds the `ProviderError`s of one request; `secrets` never appear in them. `env` names the key's variables."""

    provider: str
    model: str
    env: Sequence[str] = ()
    secrets: Sequence[str] = ()

    def answered(self, status: int, headers: Mapping[str, str], body: object) -> ProviderError:
        """The vendor answered with an HTTP status other than 200."""
        message, words = describe(body)
        if 300 <= status < 400:
            target = next((value for name, value in headers.items() if name.lower() == "location"), "nowhere")
            message = f"a redirect to {target.partition('?')[0]}, not followed because the key would go along"
        kind = classify(status, words)
        wait = retry_after(headers, time.time())
        return self._error(f"answered {status}", message, self._advice(kind, status, wait), kind, status, wait)

    def reported(self, body: object) -> ProviderError:
        """The vendor reported an error inside a stream that had begun well."""
        message, words = describe(body)
        error = body.get("error", body) if isinstance(body, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        status = code if isinstance(code, int) and 400 <= code < 600 else None
        kind = classify(status, words)
        return self._error("reported an error", message, self._advice(kind, status, None), kind, status)

    def unreachable(self, causes: Sequence[tuple[str, str]], host: str) -> ProviderError:
        """No answer. `causes` are the exceptions, outermost first, as (class name, text)."""
        names = {name for name, _ in causes}
        text = " ".join(text for _, text in causes)
        detail = next((text for _, text in reversed(causes) if text), causes[-1][0] if causes else "")
        url = f"provider.{self.provider}.options.baseURL"
        if "SSLCertVerificationError" in names or "CERTIFICATE_VERIFY_FAILED" in text:
            advice = f"the certificate of {host} is not trusted; set SSL_CERT_FILE to your authority's"
            return self._error("could not be reached", detail, advice, "protocol")
        if re.search("wrong.version.number|record.layer|http.request", text, re.IGNORECASE):
            return self._error(
                "could not be reached", detail, f"{host} does not speak TLS there; check {url}", "protocol"
            )
        if names & {"UnsupportedProtocol", "InvalidURL", "LocalProtocolError", "UnicodeEncodeError"}:
            return self._error("could not be asked", detail, f"check {url}, the key and the headers", "bad_request")
        if "DecodingError" in names:
            return self._error("broke off", detail, "try again", "network")
        return self._error(f"could not be reached at {host}", detail, f"check the network and {url}", "network")

    def broken(self, detail: str) -> ProviderError:
        """The answer ended before its end."""
        return self._error("failed", f"the answer broke off: {detail}", "try again", "network")

    def silent(self, seconds: float) -> ProviderError:
        """Nothing came for too long."""
        return self._error(
            "failed", f"no answer for {seconds:g} s", "try again, or raise the provider's timeout", "network"
        )

    def not_an_answer(self, detail: str) -> ProviderError:
        """What came is not what the vendor's interface promises; trying again will not help."""
        url = f"provider.{self.provider}.options.baseURL"
        return self._error("failed", detail, f"is a proxy or a login page in between? check {url}", "protocol")

    def bad_key(self) -> ProviderError:
        """The key holds characters that no HTTP header can carry."""
        return self._error(
            "was not asked", "the key holds a blank or a special character", self._advice("auth", 401, None), "auth"
        )

    def no_sdk(self, package: str) -> ProviderError:
        """The vendor's package cannot be imported."""
        return self._error(
            "cannot be used", f"the Python package {package} does not load", "install acp-agent again", "protocol"
        )

    def _advice(self, kind: ErrorKind, status: int | None, wait: float | None) -> str:
        option = f"provider.{self.provider}.options"
        match kind:
            case "auth" if status == 403:
                return "the key may not use this model, or not from here"
            case "auth":
                return "check " + " or ".join([*self.env[:2], f"{option}.apiKey"])
            case "quota":
                return "check the plan and the balance with the provider"
            case "rate_limit" | "overloaded":
                return f"try again in {math.ceil(wait)} s" if wait else "try again in a moment"
            case "network":
                return "try again"
            case "context_overflow":
                return "the conversation is too long for the model; compact it or start a new session"
            case "not_found":
                return f"check the name of the model and {option}.baseURL"
            case "bad_request":
                return "the provider refuses this request; the same one will not succeed"
            case "protocol":
                return f"check {option}.baseURL"

    def _error(
        self,
        what: str,
        detail: str,
        advice: str,
        kind: ErrorKind,
        status: int | None = None,
        wait: float | None = None,
    ) -> ProviderError:
        shown = f" ({self._one_line(detail)})" if detail else ""
        message = f"{self.provider}/{self.model} {what}{shown}: {advice}"
        return ProviderError(
            message, kind=kind, provider=self.provider, model=self.model, status=status, retry_after=wait
        )

    def _one_line(self, text: str) -> str:
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= 4:
                text = text.replace(secret, "***")
        text = _KEY_LIKE.sub("***", text)
        text = " ".join("".join(char if char.isprintable() else " " for char in text[: 10 * MAX_DETAIL]).split())
        return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"
