"""Text without what looks like a secret: by the name before it, by where it stands in an address, by how it is made."""

from __future__ import annotations

import re

MASK = "[secret]"

_SECRET_NAME = re.compile(
    r"key|token|secret|passw|passphrase|passcode|pwd|credential|cookie|auth(?!or)|signature|signing|bearer|private"
    r"|session_?id|jwt|dsn|connection_?string|webhook|(?<![a-z])(?:sig|pass|pat|pin|otp|salt|sas|cert)(?![a-z])",
    re.IGNORECASE,
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_NAME = re.compile(r"(?<![\w.-])(-{0,2}[\w.-]+)[\"']?(?:\s*=|\s*:(?!//))\s*[\"']?(?=\S)")
_OPTION = re.compile(r"(?<!\S)(--?[A-Za-z][\w-]*)\s+[\"']?(?=\S)")
# What follows is secret whatever it is called: a header, a name with a password, what a scheme announces.
_ANNOUNCED = re.compile(
    r"(?<!\S)(?:-H|--header)(?:[= ]\s*|(?=[\w\"']))(?=\S)|(?<!\S)(?:-u|--user)[= ]\s*(?=[^\s:]*:\S)"
    r"|\b(?:[Bb]earer|BEARER|Basic|BASIC)\s+(?=\S{4})"
)

_ADDRESS = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{0,30}://)([^\s\"'<>`]*)")
# What programs call the parts of a path; anything else may be the key of a hook.
_USUAL_PART = re.compile(
    r"|…|[\w.-]{1,6}|v\d[\w.]{0,8}|[a-z]{1,20}(?:[-_.][a-z]{1,20}){0,4}|[A-Za-z_-]{1,30}\.[a-z]{1,5}"
)

_WORD = re.compile(r"[^\s\"'`,;(){}\[\]<>|&…]{10,}")
_KNOWN_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:[spr]k[-_]\S{8,}|gh[opsur]_\S{6,}|github_pat_\S+|glpat-\S+|xox[a-z]-\S+|hf_\S{8,}|npm_\w{20,}"
    r"|gsk_\S+|xai-\w{20,}|tvly-\S+|pplx-\w{20,}|whsec_\S+|ya29\.\S+|A[KS]IA[A-Z0-9]{12,}|AIza\S{8,}|eyJ\S{8,}"
    r"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"
)
_PATH = re.compile(r"[/~.\\]|[A-Za-z]:[\\/]")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_CLASSES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SHORTEST_WORD = 20


def looks_secret(name: str) -> bool:
    """Whether a secret may be what is called so: `apiKey`, `X-Auth`, `sig`. `author` and `design` are none."""
    return bool(_SECRET_NAME.search(_HUMP.sub("_", name)))


def masked_text(text: str) -> str:
    """The text with `[secret]` for all that may be one. What follows the name of a secret is masked to the line's end.

    Takes a time that grows with the square of a line's length at worst.
    """
    return "\n".join(_line(line) for line in text.split("\n"))


def host_only(address: str) -> str:
    """Scheme and host of an address; `…` stands for all that follows. What is no address is masked as a whole."""
    found = _ADDRESS.fullmatch(address.strip())
    if found is None:
        return MASK
    place = re.split(r"[/?#\\]", found.group(2), maxsplit=1)
    host = place[0].rpartition("@")[2]
    if "@" in "".join(place[1:]):  # perhaps all of this was a password
        return f"{found.group(1)}{MASK}"
    return f"{found.group(1)}{_host(host)}{'/…' if ''.join(place[1:]) else ''}"


def _line(line: str) -> str:
    end = _secret_from(line)
    made, position = "", 0
    for found in _ADDRESS.finditer(line, 0, end):
        made += _words(line[position : found.start()]) + _address(found)
        position = found.end()
    return made + _words(line[position:end]) + (MASK if end < len(line) else "")


def _secret_from(line: str) -> int:
    """Where the value of something secret begins; the line's length if there is none. Addresses are passed over."""
    inside = [found.span() for found in _ADDRESS.finditer(line)]
    ends = [
        found.end()
        for pattern in (_NAME, _OPTION, _ANNOUNCED)
        for found in pattern.finditer(line)
        if (pattern is _ANNOUNCED or looks_secret(found.group(1)) or found.group(1)[:2] in ("X-", "x-"))
        and not any(start <= found.start() < end for start, end in inside)
    ]
    return min(ends, default=len(line))


def _address(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    user, at, rest = rest.rpartition("@")
    if any(sign in user for sign in "/?#\\"):
        return f"{scheme}{MASK}"  # who can tell what of it is a password
    place = re.split(r"[?#]", rest, maxsplit=1)
    host, *parts = place[0].split("/")
    shown = "/".join([_host(host), *(part if _USUAL_PART.fullmatch(part) else MASK for part in parts)])
    return f"{scheme}{f'{MASK}@' if at else ''}{shown}{f'?{MASK}' if place[1:] else ''}"


def _host(host: str) -> str:
    return ".".join(MASK if _looks_made_up(label) else label for label in host.split("."))


def _words(text: str) -> str:
    return _WORD.sub(lambda found: MASK if _looks_made_up(found.group()) else found.group(), text)


def _looks_made_up(word: str) -> bool:
    """Whether a word is a key: by its beginning, or since it is long and no person would have thought of it."""
    if _KNOWN_KEY.search(word):
        return True
    pieces = [each for each in _PIECE.findall(word) if len(each) >= _SHORTEST_WORD or not _PATH.match(word)]
    return len(word) >= _SHORTEST_WORD and any(_is_random(piece) for piece in pieces)


def _is_random(piece: str) -> bool:
    """Whether letters and digits follow each other as in keys: not as in `claude`, `20250929` or `LlamaForCausalLM`."""
    parts = len(_CLASSES.findall(piece))
    if parts <= 1:
        return len(piece) >= (12 if piece.isdigit() else 25)
    if piece.isalpha():
        return len(piece) >= 12 and len(piece) / parts < 3
    return len(piece) >= 16 or (len(piece) >= 10 and len(piece) / parts < 3)
