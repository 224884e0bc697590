"""Which file wins, and what is remembered of it."""

import itertools
import json
import os
import sys
from pathlib import Path

import pytest

from acp_agent.config.diagnostic import Layer
from acp_agent.config.load import load
from acp_agent.config.models import Config

LAYERS = ("global", "custom", "project", "nearer", "content")
LAYER_OF = {
    "global": Layer.GLOBAL,
    "custom": Layer.CUSTOM,
    "project": Layer.PROJECT,
    "nearer": Layer.PROJECT,
    "content": Layer.CONTENT,
}
PAIRS = list(itertools.combinations(LAYERS, 2))


@pytest.mark.parametrize(("lower", "higher"), PAIRS)
def test_a_scalar_of_a_higher_layer_wins(folders, lower, higher):
    folders.write(lower, {"model": f"p/{lower}"})
    folders.write(higher, {"model": f"p/{higher}"})
    loaded = folders.load()
    assert loaded.config.model == f"p/{higher}"
    assert loaded.origin(("model",)) is LAYER_OF[higher]


@pytest.mark.parametrize(("lower", "higher"), PAIRS)
def test_objects_are_merged_key_by_key(folders, lower, higher):
    folders.write(lower, {"provider": {"p": {"name": "lower", "options": {"baseURL": "http://l", "extra": {"a": 1}}}}})
    folders.write(higher, {"provider": {"p": {"name": "higher", "options": {"apiKey": "k", "extra": {"b": 2}}}}})
    loaded = folders.load()
    assert loaded.config.model_dump(exclude_unset=True, by_alias=True) == {
        "provider": {
            "p": {
                "name": "higher",
                "options": {"baseURL": "http://l", "apiKey": "k", "extra": {"a": 1, "b": 2}},
            }
        }
    }
    options = ("provider", "p", "options")
    assert loaded.origin((*options, "baseURL")) is LAYER_OF[lower]
    assert loaded.origin((*options, "apiKey")) is LAYER_OF[higher]
    assert loaded.origin((*options, "extra", "a")) is LAYER_OF[lower]
    assert loaded.origin(options) is LAYER_OF[higher]


@pytest.mark.parametrize(("lower", "higher"), PAIRS)
def test_lists_are_replaced(folders, lower, higher):
    folders.write(lower, {"disabled_providers": ["a", "b"]})
    folders.write(higher, {"disabled_providers": ["c"]})
    loaded = folders.load()
    assert loaded.config.disabled_providers == ["c"]
    assert loaded.origin(("disabled_providers", 0)) is LAYER_OF[higher]
    assert loaded.origin(("disabled_providers", 1)) is None


@pytest.mark.parametrize(("lower", "higher"), PAIRS)
def test_instructions_are_added_without_repetition(folders, lower, higher):
    folders.write(lower, {"instructions": ["one.md", "two.md"]})
    folders.write(higher, {"instructions": ["two.md", "three.md"]})
    loaded = folders.load()
    assert loaded.config.instructions == ["one.md", "two.md", "three.md"]
    origins = [loaded.origin(("instructions", index)) for index in range(4)]
    assert origins == [LAYER_OF[lower], LAYER_OF[lower], LAYER_OF[higher], None]


def test_all_layers_at_once(folders):
    for number, layer in enumerate(LAYERS):
        folders.write(layer, {"agent": {"a": dict.fromkeys(["prompt", *LAYERS[: len(LAYERS) - number]], layer)}})
    agent = folders.load().config.agent["a"]
    assert (agent.prompt, agent.model_extra) == (
        "content",
        {"global": "content", "custom": "nearer", "project": "project", "nearer": "custom", "content": "global"},
    )


def test_a_value_of_another_shape_replaces_and_its_origins_are_forgotten(folders):
    folders.write("global", {"agent": {"a": {"extra": {"deep": {"deeper": 1}}}}})
    folders.write("project", {"agent": {"a": {"extra": "text"}}})
    loaded = folders.load()
    assert loaded.config.agent["a"].model_extra == {"extra": "text"}
    assert loaded.origin(("agent", "a", "extra")) is Layer.PROJECT
    assert loaded.origin(("agent", "a", "extra", "deep")) is None


def test_the_files_of_one_folder_are_read_in_their_order(folders):
    for name in ("config.json", "opencode.json", "opencode.jsonc"):
        value = {"model": f"global/{name}", "username": "u", "shell": name}
        (folders.global_folder / name).write_text(json.dumps(value))
    for name in ("config.json", "opencode.json", "opencode.jsonc"):
        (folders.project / name).write_text("// c\n" + json.dumps({"model": f"project/{name}"}))
    loaded = folders.load()
    assert (loaded.config.model, loaded.config.shell) == ("project/opencode.jsonc", "opencode.jsonc")
    assert [source.shown for source in loaded.sources] == [
        "~/.config/opencode/config.json",
        "~/.config/opencode/opencode.json",
        "~/.config/opencode/opencode.jsonc",
        "~/project/opencode.json",
        "~/project/opencode.jsonc",
    ]


def test_the_project_can_be_left_out(folders):
    folders.write("project", {"model": "p/m"})
    folders.environ["OPENCODE_DISABLE_PROJECT_CONFIG"] = "1"
    assert folders.load().config.model is None
    folders.environ["OPENCODE_DISABLE_PROJECT_CONFIG"] = "0"
    assert folders.load().config.model == "p/m"


def test_outside_git_only_the_working_directory_counts(tmp_path):
    sub = tmp_path / "sub"
    sub.mkdir()
    (tmp_path / "opencode.json").write_text('{"model": "above/m", "shell": "above"}')
    (sub / "opencode.json").write_text('{"model": "here/m"}')
    assert load(sub, {"HOME": str(tmp_path / "home")}).config == Config.model_validate({"model": "here/m"})


def test_a_linked_worktree_is_its_own_project(folders):
    linked = folders.project / "linked"
    linked.mkdir()
    (linked / ".git").write_text("gitdir: ../.git/worktrees/linked\n")
    folders.write("project", {"shell": "main"})
    (linked / "opencode.json").write_text('{"username": "linked"}')
    assert folders.load(linked).config == Config.model_validate({"username": "linked"})


def test_xdg_config_home_is_followed_when_it_is_absolute(folders):
    elsewhere = folders.top / "xdg" / "opencode"
    elsewhere.mkdir(parents=True)
    (elsewhere / "opencode.json").write_text('{"model": "xdg/m"}')
    folders.write("global", {"model": "home/m"})
    folders.environ["XDG_CONFIG_HOME"] = str(folders.top / "xdg")
    assert folders.load().config.model == "xdg/m"
    folders.environ["XDG_CONFIG_HOME"] = "xdg"
    assert folders.load().config.model == "home/m"


def test_a_windows_profile_is_found(tmp_path):
    profile = tmp_path / "Users" / "ada"
    folder = profile / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.jsonc").write_text('{"model": "p/m", /* c */ "zzzzzzzzz": 1}')
    loaded = load(tmp_path, {"USERPROFILE": str(profile)})
    assert loaded.config.model == "p/m"
    place = os.path.join("~", ".config", "opencode", "opencode.jsonc")
    assert [str(said) for said in loaded.diagnostics] == [f'{place}:1:26: unknown key "zzzzzzzzz" is ignored']


def test_the_home_directory_may_be_given(tmp_path):
    (tmp_path / ".config" / "opencode").mkdir(parents=True)
    (tmp_path / ".config" / "opencode" / "opencode.json").write_text('{"model": "p/m"}')
    assert load(tmp_path, {}, tmp_path).config.model == "p/m"


def test_the_global_folder_as_working_directory_stays_trusted(folders):
    folders.write("global", {"model": "p/m"})
    loaded = folders.load(folders.global_folder)
    assert loaded.origin(("model",)) is Layer.GLOBAL
    assert len(loaded.sources) == 1


def test_only_the_projects_layer_is_not_trusted():
    assert [layer for layer in Layer if not layer.trusted] == [Layer.PROJECT]
    assert sorted(Layer) == [Layer.GLOBAL, Layer.CUSTOM, Layer.PROJECT, Layer.CONTENT]


def test_permission_rules_keep_their_order_and_actions_become_the_pattern_for_everything(folders):
    folders.write("global", {"permission": "ask"})
    folders.write("project", {"permission": {"edit": "allow", "bash": "ask"}})
    folders.write("content", {"permission": {"bash": {"git *": "allow"}, "webfetch": "deny"}})
    loaded = folders.load()
    assert json.dumps(loaded.config.permission) == json.dumps(
        {"*": "ask", "edit": "allow", "bash": {"*": "ask", "git *": "allow"}, "webfetch": "deny"}
    )
    assert loaded.origin(("permission", "*")) is Layer.GLOBAL
    assert loaded.origin(("permission", "bash", "*")) is Layer.PROJECT
    assert loaded.origin(("permission", "bash", "git *")) is Layer.CONTENT


def test_an_action_over_rules_sets_the_pattern_for_everything_in_its_place(folders):
    folders.write("global", {"permission": {"*": "allow", "bash": "deny"}})
    folders.write("project", {"permission": "ask"})
    assert json.dumps(folders.load().config.permission) == json.dumps({"*": "ask", "bash": "deny"})


def test_former_names_are_read_and_lose_against_present_ones(folders):
    folders.write(
        "project",
        {
            "tools": {"write": False, "webfetch": True},
            "permission": {"webfetch": "ask"},
            "mode": {"build": {"prompt": "old", "model": "p/old"}, "review": {"maxSteps": 3}},
            "agent": {"build": {"prompt": "new", "tools": {"bash": False}}},
        },
    )
    loaded = folders.load()
    assert loaded.diagnostics == ()
    assert loaded.config.model_dump(exclude_unset=True, by_alias=True) == {
        "permission": {"edit": "deny", "webfetch": "ask"},
        "agent": {
            "build": {"prompt": "new", "model": "p/old", "mode": "primary", "permission": {"bash": "deny"}},
            "review": {"steps": 3, "mode": "primary"},
        },
    }
    column = (folders.project / "opencode.json").read_text().index("3}") + 1
    assert str(loaded.diagnostic(("agent", "review", "steps"), "here")) == f"~/project/opencode.json:1:{column}: here"


def test_a_diagnostic_about_a_value_names_the_place_where_it_is_written(folders):
    folders.write("global", '{\n  "model": "p/m"\n}')
    folders.write("project", '{"instructions": [5, "a.md",\n "b.md"]}')
    loaded = folders.load()
    assert str(loaded.diagnostic(("model",), "is unknown")) == "~/.config/opencode/opencode.json:2:12: is unknown"
    assert str(loaded.diagnostic(("instructions", 1), "here")) == "~/project/opencode.json:2:2: here"
    assert str(loaded.diagnostic(("shell",), "nowhere")) == "configuration: nowhere"


def test_nothing_configured_is_nothing_wrong(folders):
    loaded = folders.load()
    assert (loaded.config, loaded.diagnostics, loaded.secrets, loaded.sources) == (Config(), (), frozenset(), ())


def test_the_example_is_valid_and_says_nothing(folders):
    example = Path(__file__).parents[2] / "examples" / "opencode.json"
    folders.environ |= {"OPENCODE_CONFIG": str(example), "GATEWAY_API_KEY": "k"}
    loaded = folders.load()
    assert loaded.diagnostics == ()
    assert loaded.config.model


@pytest.mark.skipif(sys.platform == "win32", reason="case and drive letters")
def test_the_working_directory_may_be_the_root_of_the_file_system(folders):
    assert load(Path("/"), folders.environ).config == Config()
