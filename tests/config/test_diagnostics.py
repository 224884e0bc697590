"""Broken configurations: what is said, exactly, and that everything else still holds."""

import json
import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from acp_agent.config.check import SECTIONS
from acp_agent.config.diagnostic import Diagnostic
from acp_agent.config.load import MAX_BYTES, load
from acp_agent.config.models import KNOWN_ELSEWHERE, Config, Section

PLACE = "~/project/opencode.json"

BROKEN = [
    ("{", "error", ":1:1: this '{' is never closed; the whole file is ignored"),
    ("[]", "error", ":1:1: expected an object in { }; the whole file is ignored"),
    ("// c\n 5", "error", ":2:2: expected an object in { }; the whole file is ignored"),
    ('{"model": "a/b"', "error", ":1:1: this '{' is never closed; the whole file is ignored"),
    (
        '{"model" "a/b"}',
        "error",
        ":1:10: expected ':' after the key; the whole file is ignored",
    ),
    (
        "{'model': 'a/b'}",
        "error",
        ":1:2: expected a key in double quotes; the whole file is ignored",
    ),
    (
        '{"shell": "x"\n"username": "y"}',
        "warning",
        ":1:14: a comma is missing here; it is read as if it stood there",
    ),
    ('{"shell": "x",\n"shell": "y"}', "warning", ":1:2: this key is given again below, and the last one counts"),
    ('{"model": 5}', "error", ":1:11: model: expected a string, found a number; it is ignored"),
    ('{"model": null}', "error", ":1:11: model: null stands for nothing; the key is ignored"),
    ('{"model": ["a"]}', "error", ":1:11: model: expected a string, found a list; it is ignored"),
    ('{"providers": {}}', "warning", ':1:2: unknown key "providers" is ignored; did you mean "provider"?'),
    ('{"agents": {}}', "warning", ':1:2: unknown key "agents" is ignored; did you mean "agent"?'),
    ('{"plugins": []}', "warning", ':1:2: unknown key "plugins" is ignored; did you mean "plugin"?'),
    ('{"permissions": {}}', "warning", ':1:2: unknown key "permissions" is ignored; did you mean "permission"?'),
    ('{"mcpServers": {}}', "warning", ':1:2: unknown key "mcpServers" is ignored; did you mean "mcp"?'),
    ('{"zzzzzzzz": {}}', "warning", ':1:2: unknown key "zzzzzzzz" is ignored'),
    (
        '{"permission": "maybe"}',
        "error",
        ':1:16: permission: expected "ask", "allow" or "deny", found other text; "ask" is used',
    ),
    (
        '{"permission": 5}',
        "error",
        ':1:16: permission: expected "ask", "allow", "deny" or an object of rules, found a number; "ask" is used',
    ),
    (
        '{"permission": {"bash": {"*": "allow",\n  "rm *": "forbid"}}}',
        "error",
        ':2:11: permission.bash.rm *: expected "ask", "allow" or "deny", found other text; "ask" is used',
    ),
    (
        '{"permission": {"<rules>": "allow", "edit": true}}',
        "error",
        ':1:45: permission.edit: expected "ask", "allow", "deny" or an object of rules, found true; "ask" is used',
    ),
    (
        '{"instructions": ["a.md", 5, "b.md"]}',
        "error",
        ":1:27: instructions[1]: expected a string, found a number; it is ignored",
    ),
    (
        '{"instructions": "a.md"}',
        "error",
        ":1:18: instructions: expected a list in [ ], found text; it is ignored",
    ),
    ('{"agent": []}', "error", ":1:11: agent: expected an object in { }, found a list; it is ignored"),
    (
        '{"agent": {"a": {"mode": "main"}}}',
        "error",
        ':1:26: agent.a.mode: expected "subagent", "primary" or "all", found other text; it is ignored',
    ),
    (
        '{"agent": {"a": {"steps": 0}}}',
        "error",
        ":1:27: agent.a.steps: expected a number above 0, found another number; it is ignored",
    ),
    (
        '{"agent": {"a": {"temperature": "hot"}}}',
        "error",
        ":1:33: agent.a.temperature: expected a number, found text; it is ignored",
    ),
    (
        '{"agent": {"a": {"permission": [1]}}}',
        "error",
        ':1:32: agent.a.permission: expected "ask", "allow", "deny" or an object of rules, found a list; "ask" is used',
    ),
    (
        '{"provider": {"p": {"options": {"timeout": "x"}}}}',
        "error",
        ":1:44: provider.p.options.timeout: expected a whole number or false, found text; it is ignored",
    ),
    (
        '{"provider": {"p": {"options": {"baseUrl": "http://x"}}}}',
        "warning",
        ':1:33: provider.p.options.baseUrl: did you mean "baseURL"? The key is passed on to the provider as it stands',
    ),
    (
        '{"provider": {"p": {"options": {"headers": {"x": 1}}}}}',
        "error",
        ":1:50: provider.p.options.headers.x: expected a string, found a number; it is ignored",
    ),
    (
        '{"provider": {"p": {"model": {}}}}',
        "warning",
        ':1:21: unknown key "model" in provider.p is ignored; did you mean "models"?',
    ),
    (
        '{"provider": {"p": {"models": {"m": {"limit": {"context": 1e999}}}}}}',
        "error",
        ":1:59: provider.p.models.m.limit.context: expected a finite number, found another number; it is ignored",
    ),
    (
        '{"provider": {"p": {"models": {"m": {"modalities": {"input": ["smell"]}}}}}}',
        "error",
        ':1:63: provider.p.models.m.modalities.input[0]: expected "text", "audio", "image", "video" or "pdf", '
        "found other text; it is ignored",
    ),
    (
        '{"provider": {"p": "x"}}',
        "error",
        ":1:20: provider.p: expected an object in { }, found text; it is ignored",
    ),
    (
        '{"model": "{env:UNSET_NAME}"}',
        "warning",
        ':1:11: the environment variable "UNSET_NAME" is not set; it counts as empty',
    ),
    (
        '{"model": "{file:no.txt}"}',
        "warning",
        ':1:11: the file "~/project/no.txt" does not exist; it counts as empty',
    ),
    (
        '{"model": "{file:~/outside.txt}"}',
        "warning",
        ':1:11: the file "~/outside.txt" lies outside the project, whose files may not refer to it; it counts as empty',
    ),
    (
        '{"model": "{file:sub}"}',
        "warning",
        ':1:11: the file "~/project/sub" is a folder, not a file; it counts as empty',
    ),
]


@pytest.mark.parametrize(("text", "severity", "said"), BROKEN)
def test_a_broken_file_is_said_with_its_place_and_the_other_layers_hold(folders, text, severity, said):
    folders.write("global", {"username": "ada"})
    folders.write("project", text)
    folders.write("content", {"small_model": "p/small"})
    (folders.home / "outside.txt").write_text("outside")
    loaded = folders.load()
    assert [str(diagnostic) for diagnostic in loaded.diagnostics] == [PLACE + said]
    assert loaded.diagnostics[0].severity == severity
    assert loaded.config.small_model == "p/small"
    assert loaded.config.username in ("ada", "y")
    assert bool(loaded.errors) is (severity == "error")


def test_everything_right_beside_a_wrong_value_is_kept(folders):
    folders.write("project", {"model": 5, "shell": "sh", "agent": {"a": {"steps": -1, "prompt": "p"}}})
    config = folders.load().config
    assert config == Config.model_validate({"shell": "sh", "agent": {"a": {"prompt": "p"}}})


def test_a_wrong_value_does_not_hide_a_right_one_below(folders):
    folders.write("global", {"model": "p/m"})
    folders.write("project", {"model": ["p/other"]})
    assert folders.load().config.model == "p/m"


def test_a_wrong_rule_asks_and_never_allows(folders):
    folders.write("project", {"permission": {"bash": {"*": "allow", "rm *": "dney"}, "edit": 7}})
    assert folders.load().config.permission == {"bash": {"*": "allow", "rm *": "ask"}, "edit": "ask"}


def test_several_problems_come_in_the_order_of_the_file(folders):
    folders.write("project", '{"modle": "x",\n "shell": 1,\n "model": "{env:GONE}"}')
    assert folders.said() == [
        f'{PLACE}:1:2: unknown key "modle" is ignored; did you mean "model"?',
        f"{PLACE}:2:11: shell: expected a string, found a number; it is ignored",
        f'{PLACE}:3:11: the environment variable "GONE" is not set; it counts as empty',
    ]


def test_the_content_variable_is_named_as_the_source(folders):
    folders.write("content", '{\n "model": tru}')
    assert folders.said() == [
        "OPENCODE_CONFIG_CONTENT:2:11: expected a value; a string needs double quotes; the whole file is ignored"
    ]


def test_a_file_outside_home_is_named_in_full(folders):
    folders.write("custom", '{"model": 1}')
    assert folders.said() == [
        f"{folders.top / 'custom.json'}:1:11: model: expected a string, found a number; it is ignored"
    ]


def test_a_missing_custom_file_is_said(folders):
    folders.environ["OPENCODE_CONFIG"] = "~/gone.json"
    assert folders.said() == ["~/gone.json: this file, which OPENCODE_CONFIG names, does not exist"]


def test_a_folder_in_place_of_a_file_is_said(folders):
    (folders.project / "opencode.json").mkdir()
    assert folders.said() == [f"{PLACE}: is a folder, not a file; it is ignored"]


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
def test_a_pipe_in_place_of_a_file_is_not_waited_for(folders):
    os.mkfifo(folders.project / "opencode.json")
    assert folders.said() == [f"{PLACE}: is not a regular file; it is ignored"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_file_that_may_not_be_read_is_said(folders):
    folders.write("project", {})
    (folders.project / "opencode.json").chmod(0)
    assert folders.said() == [f"{PLACE}: cannot be read: Permission denied; it is ignored"]


def test_a_link_to_itself_is_said(folders):
    (folders.project / "opencode.json").symlink_to("opencode.json")
    assert folders.said() == [f"{PLACE}: cannot be read: Too many levels of symbolic links; it is ignored"]


def test_a_huge_file_is_not_read(folders):
    with open(folders.project / "opencode.json", "wb") as file:
        file.truncate(10 * MAX_BYTES)
    assert folders.said() == [f"{PLACE}: is larger than 1024 KiB; it is ignored"]


def test_a_file_that_is_not_utf8_is_said_with_the_place(folders):
    (folders.project / "opencode.json").write_bytes(b'{"model":\n "a\xff"}')
    assert folders.said() == [f"{PLACE}:2:4: the file is not UTF-8 from here on; the whole file is ignored"]


def test_an_empty_file_is_nothing_wrong(folders):
    folders.write("project", "\ufeff \n")
    assert folders.said() == []


def test_keys_that_are_read_elsewhere_are_no_unknown_keys(folders):
    folders.write("project", {key: {} for key in KNOWN_ELSEWHERE})
    assert folders.said() == []


def test_every_kind_of_section_has_a_place_in_the_file():
    assert {section for _, section in SECTIONS} == set(Section.__subclasses__())


def test_names_with_control_characters_stay_on_one_line(folders):
    folders.write("project", {"a\nb\x1b[31m" + "c" * 100: 1})
    (said,) = folders.said()
    assert said == f'{PLACE}:1:2: unknown key "a?b?[31m{"c" * 52}…" is ignored'


def test_a_diagnostic_without_a_place_names_the_file_only():
    assert str(Diagnostic("~/x.json", None, None, "is odd")) == "~/x.json: is odd"


KEYS = st.sampled_from(
    ["model", "provider", "p", "options", "apiKey", "headers", "Authorization", "models", "permission", "bash", "agent",
     "instructions", "timeout", "limit", "context", "prompt", "steps", "mode", "tools", "env", "unheard-of"]
)  # fmt: skip
SECRET = "sk-7Qx2hidden"
VALUES = st.recursive(
    st.sampled_from(
        [SECRET, f"Bearer {SECRET}", "{env:TOKEN}", "x{env:TOKEN}y", "{file:key.txt}", 5, None, True, "ask"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(value=st.dictionaries(KEYS, VALUES, max_size=6), cut=st.integers(0, 200), broken=st.booleans())
def test_no_secret_is_ever_in_a_diagnostic_and_no_file_stops_the_program(folders, value, cut, broken):
    text = json.dumps(value, indent=1)
    folders.write("project", text[:cut] + text[cut + 1 :] if broken else text)
    (folders.project / "key.txt").write_text(SECRET)
    folders.environ["TOKEN"] = SECRET
    folders.write("content", text)
    loaded = folders.load()
    assert not [str(said) for said in loaded.diagnostics if SECRET in str(said)]


def test_a_secret_in_the_message_of_a_later_diagnostic_is_masked(folders):
    folders.write("project", {"provider": {"p": {"options": {"apiKey": SECRET}}}})
    loaded = folders.load()
    assert str(loaded.diagnostic(("provider", "p", "nothing"), f"about {SECRET}")) == f"{PLACE}:1:20: about [secret]"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(content=st.text(max_size=60))
def test_no_content_stops_the_program(folders, content):
    load(folders.sub, {"HOME": str(folders.home), "OPENCODE_CONFIG_CONTENT": content})
