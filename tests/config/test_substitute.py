"""`{env:}` and `{file:}`."""

import os
import sys

import pytest

from acp_agent.config.substitute import MAX_FILE_BYTES


def test_variables_are_replaced_inside_strings_and_become_secrets(folders):
    folders.environ |= {"KEY": "sk-1", "HOST": "h.example"}
    folders.write(
        "global",
        {"provider": {"p": {"options": {"apiKey": "{env:KEY}", "baseURL": "https://{env: HOST }/v1/{env:KEY}"}}}},
    )
    loaded = folders.load()
    options = loaded.config.provider["p"].options
    assert (options.api_key, options.base_url) == ("sk-1", "https://h.example/v1/sk-1")
    assert loaded.secrets == {"sk-1", "h.example"}
    assert loaded.variables == {"KEY", "HOST"}
    assert loaded.is_substituted(("provider", "p", "options", "apiKey"))
    assert loaded.is_substituted(("provider",))
    assert not loaded.is_substituted(("model",))


def test_a_value_cannot_change_the_structure_around_it(folders):
    folders.environ["KEY"] = '", "permission": "allow", "x": "{env:OTHER}\\'
    folders.environ["OTHER"] = "never"
    folders.write("global", {"username": "{env:KEY}"})
    loaded = folders.load()
    assert loaded.config.username == folders.environ["KEY"]
    assert loaded.config.permission is None


def test_a_projects_file_reads_variables_in_a_providers_options_only(folders):
    folders.environ["KEY"] = "a-secret-of-the-user"
    folders.write("project", {"model": "{env:KEY}", "provider": {"p": {"options": {"apiKey": "{env:KEY}"}}}})
    loaded = folders.load()
    assert (loaded.config.model, loaded.config.provider["p"].options.api_key) == ("", "a-secret-of-the-user")
    (said,) = loaded.diagnostics
    assert "may stand only in a provider's options in a project's file" in said.message


def test_comments_and_keys_are_left_alone(folders):
    folders.write("project", '{ // {env:GONE} {file:gone}\n "agent": {"{env:GONE}": {}}, "shell": "{other:x}" }')
    loaded = folders.load()
    assert loaded.diagnostics == ()
    assert (list(loaded.config.agent), loaded.config.shell) == (["{env:GONE}"], "{other:x}")


def test_an_unset_variable_is_empty_and_an_empty_one_is_not_unset(folders):
    folders.environ["EMPTY"] = ""
    folders.write("global", {"model": "a{env:GONE}b", "shell": "{env:EMPTY}"})
    loaded = folders.load()
    assert (loaded.config.model, loaded.config.shell, loaded.secrets) == ("ab", "", frozenset())
    assert [str(said) for said in loaded.diagnostics] == [
        '~/.config/opencode/opencode.json:1:11: the environment variable "GONE" is not set; it counts as empty'
    ]


def test_what_every_program_needs_is_no_secret(folders):
    folders.environ["SHELL"] = "/bin/zsh"
    folders.write("global", {"shell": "{env:SHELL}"})
    loaded = folders.load()
    assert (loaded.config.shell, loaded.secrets, loaded.variables) == ("/bin/zsh", frozenset(), frozenset())


def test_files_are_found_from_the_folder_of_the_configuration_and_trimmed(folders):
    (folders.global_folder / "key.txt").write_text("\ufeff global-key \n", encoding="utf-8")
    (folders.project / "prompt.md").write_text("Be\nkind\n")
    (folders.sub / "here.txt").write_text("content-key")
    (folders.home / "tilde.txt").write_text("tilde")
    folders.write("global", {"small_model": "{file:key.txt}", "username": "{file:~/tilde.txt}"})
    folders.write("project", {"agent": {"a": {"prompt": "{file:./prompt.md}"}}})
    folders.write("content", {"model": "{file:here.txt}", "shell": f"{{file:{folders.home / 'tilde.txt'}}}"})
    loaded = folders.load()
    config = loaded.config
    assert loaded.diagnostics == ()
    assert [config.small_model, config.username, config.agent["a"].prompt, config.model, config.shell] == [
        "global-key", "tilde", "Be\nkind", "content-key", "tilde",
    ]  # fmt: skip
    assert loaded.secrets == {"global-key", "tilde", "Be\nkind", "content-key"}


def test_a_projects_file_reaches_files_of_the_whole_project_and_none_outside(folders):
    (folders.home / "secret").write_text("outside")
    (folders.project / "inside").write_text("inside")
    (folders.project / "link").symlink_to(folders.home / "secret")
    secret = folders.home / "secret"
    for reference in ("../../../secret", "~/secret", str(secret), "../../link"):
        folders.write("nearer", {"username": f"{{file:{reference}}}", "shell": "{file:../../inside}"})
        loaded = folders.load()
        assert (loaded.config.username, loaded.config.shell) == ("", "inside")
        (said,) = loaded.diagnostics
        assert said.message.endswith("lies outside the project, whose files may not refer to it; it counts as empty")
        assert "outside" not in loaded.secrets


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_files_that_are_none_count_as_empty(folders):
    os.mkfifo(folders.project / "pipe")
    (folders.project / "binary").write_bytes(b"\xff\xfe")
    (folders.project / "large").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    folders.write(
        "project",
        {"agent": {"a": {"o1": "{file:pipe}", "o2": "{file:binary}", "o3": "{file:large}", "o4": "{file:}"}}},
    )
    loaded = folders.load()
    assert loaded.config.agent["a"].model_extra == {"o1": "", "o2": "", "o3": "", "o4": ""}
    assert [said.message for said in loaded.diagnostics] == [
        'the file "~/project/pipe" is not a regular file; it counts as empty',
        'the file "~/project/binary" is not UTF-8; it counts as empty',
        'the file "~/project/large" is larger than 256 KiB; it counts as empty',
        "{file:} names no file; it counts as empty",
    ]


def test_a_variable_that_is_not_utf8_counts_as_empty(folders):
    folders.environ["ODD"] = os.fsdecode(b"a\xffb")
    folders.write("project", {"shell": "{env:ODD}"})
    loaded = folders.load()
    assert loaded.config.shell == ""
    assert [said.message for said in loaded.diagnostics] == [
        'the environment variable "ODD" is not UTF-8; it counts as empty'
    ]


def test_keys_and_telling_headers_are_secrets_without_references_too(folders):
    folders.write(
        "global",
        {
            "provider": {
                "p": {
                    "options": {"apiKey": "plain-key", "headers": {"Authorization": "Bearer tok", "X-Title": "title"}},
                    "models": {"m": {"headers": {"x-api-key": "model-key"}}},
                }
            }
        },
    )
    assert folders.load().secrets == {"plain-key", "Bearer tok", "tok", "model-key"}
