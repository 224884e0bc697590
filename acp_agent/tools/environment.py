"""The environment of every process that a tool starts: the person's own, without secrets and without prompts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

# A secret in the configuration may be a directory name (`{env:HOME}`); no shell works without these.
_ALWAYS_KEPT = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "LC_CTYPE", "TZ"}
    | {"SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMDRIVE"}
)

# Start-up files and options of a shell change what a checked command line means; the others open dialogs or force
# colours on.
_DROPPED = frozenset(
    {
        "BASH_ENV",
        "ENV",
        "SHELLOPTS",
        "BASHOPTS",
        "CDPATH",
        "SSH_ASKPASS",
        "GIT_ASKPASS",
        "FORCE_COLOR",
        "CLICOLOR_FORCE",
    }
)
_DROPPED_PREFIXES = ("OPENCODE_", "ACP_AGENT_")

# `true` as git's editor takes the text that git prepared (amend, rebase --continue, revert) and lets `git commit`
# without a message stop with git's own words; `false` for a rebase list, which would otherwise silently do nothing.
QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "false",
    "EDITOR": "false",
    "VISUAL": "false",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MANPAGER": "cat",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "SSH_ASKPASS_REQUIRE": "never",
    "DEBIAN_FRONTEND": "noninteractive",
}

_CONTAINED = 8


def child_environment(
    environ: Mapping[str, str], secret_names: Collection[str], secret_values: Collection[str]
) -> dict[str, str]:
    """The variables for children: no secret by name or by value, nothing of ours, and no program may wait for a person.

    A value is a secret if it equals one of `secret_values`, or contains one of at least eight characters.
    """
    names = {name.upper() for name in secret_names}
    values = {value for value in secret_values if value}
    kept = {
        name: value
        for name, value in environ.items()
        if not _dropped(name.upper(), names) and (name.upper() in _ALWAYS_KEPT or not _secret(value, values))
    }
    return kept | QUIET


def _dropped(name: str, secret_names: set[str]) -> bool:
    return name in secret_names or name in _DROPPED or name.startswith(_DROPPED_PREFIXES)


def _secret(value: str, secrets: set[str]) -> bool:
    return value in secrets or any(len(secret) >= _CONTAINED and secret in value for secret in secrets)
