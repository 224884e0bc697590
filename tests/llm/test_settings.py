"""Which providers there are, and that keys and code go only where the user sends them."""

import json
from pathlib import Path
from typing import Any

import pytest

from acp_agent.config.load import load
from acp_agent.llm.catalogue import PROVIDERS
from acp_agent.llm.models import ModelInfo, ModelRef, Models, ModelUnknown, ProviderSettings
from acp_agent.llm.settings import provider_notes, provider_settings
from acp_agent.llm.streaming import Timeouts

FAR = "https://far.example/v1"
NEAR = "http://127.0.0.1:8000/v1"


class Machine:
    """A home and a project; `user` and `project` are their configuration files."""

    def __init__(self, top: Path) -> None:
        self.project_folder = top / "project"
        self.user_folder = top / ".config" / "opencode"
        self.project_folder.mkdir()
        self.user_folder.mkdir(parents=True)
        self.environ = {"HOME": str(top)}
        self.user: dict[str, Any] = {}
        self.project: dict[str, Any] = {}

    def _loaded(self):
        (self.user_folder / "opencode.json").write_text(json.dumps(self.user))
        (self.project_folder / "opencode.json").write_text(json.dumps(self.project))
        return load(self.project_folder, self.environ)

    def all(self) -> tuple[ProviderSettings, ...]:
        return provider_settings(self._loaded(), self.environ)

    def one(self, provider: str) -> ProviderSettings:
        return next(made for made in self.all() if made.id == provider)

    def notes(self) -> list[str]:
        return [str(note) for note in provider_notes(self._loaded(), self.environ)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def provider(**options: Any) -> dict[str, Any]:
    return {"provider": {"p": {"options": options}}}


def test_without_configuration_nothing_can_be_used_and_everything_known_is_listed(machine):
    made = machine.all()
    assert [one.id for one in made] == [known.id for known in PROVIDERS]
    assert not any(one.usable or one.configured for one in made)


def test_a_key_in_the_environment_makes_a_known_provider_usable(machine):
    machine.environ |= {"GOOGLE_API_KEY": " g-key\n", "GEMINI_API_KEY": ""}
    assert [(one.id, one.api_key) for one in machine.all() if one.usable] == [("google", "g-key")]


def test_a_provider_of_ones_own_as_a_whole(machine):
    machine.environ["P_KEY"] = "key"
    machine.user = {
        "provider": {
            "p": {
                "name": "Mine",
                "npm": "@ai-sdk/openai-compatible",
                "options": {
                    "baseURL": FAR,
                    "apiKey": "{env:P_KEY}",
                    "headers": {"X-Team": "t"},
                    "timeout": False,
                    "chunkTimeout": 5000,
                },
                "models": {
                    "m": {
                        "id": "vendor-m",
                        "name": "M",
                        "limit": {"context": 1000, "output": 100.0},
                        "modalities": {"input": ["text", "image", "audio"]},
                        "tool_call": False,
                        "options": {"reasoning_effort": "high"},
                    },
                    "bare": {},
                },
            }
        }
    }
    assert machine.one("p") == ProviderSettings(
        id="p",
        name="Mine",
        api="openai_chat",
        base_url=FAR,
        api_key="key",
        headers={"X-Team": "t"},
        models=(
            ModelInfo(
                ModelRef("p", "m"), "M", 1000, 100, True, False, "vendor-m", {"reasoning_effort": "high"}, audio=True
            ),
            ModelInfo(ModelRef("p", "bare"), "bare"),
        ),
        configured=True,
        timeouts=Timeouts(first_byte=86_400.0, idle=5.0),
    )
    assert machine.notes() == []


@pytest.mark.parametrize(
    ("section", "api", "base_url"),
    [
        ({"npm": "@ai-sdk/anthropic"}, "anthropic", "https://api.anthropic.com"),
        ({"npm": "@ai-sdk/anthropic", "options": {"baseURL": FAR}}, "anthropic", FAR),
        ({"npm": "@ai-sdk/openai"}, "openai_chat", "https://api.openai.com/v1"),
        ({"npm": "@ai-sdk/groq"}, "openai_chat", "https://api.groq.com/openai/v1"),
        ({"npm": "@ai-sdk/google"}, "openai_chat", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ({"npm": "@openrouter/ai-sdk-provider"}, "openai_chat", "https://openrouter.ai/api/v1"),
        ({"npm": "@ai-sdk/mistral", "api": FAR}, "openai_chat", FAR),
        ({"npm": "@ai-sdk/deepseek", "api": FAR, "options": {"baseURL": NEAR}}, "openai_chat", NEAR),
        ({"npm": "@somebody/else", "options": {"baseURL": FAR}}, "openai_chat", FAR),
        ({"options": {"baseURL": FAR}}, "openai_chat", FAR),
    ],
)
def test_the_package_names_the_wire_api_and_the_address(machine, section, api, base_url):
    machine.user = {"provider": {"p": section}}
    made = machine.one("p")
    assert (made.api, made.base_url, made.problem, made.usable) == (api, base_url, None, True)


def test_every_package_stands_for_a_provider_that_is_known(machine):
    from acp_agent.llm.settings import _NPM

    assert set(_NPM.values()) <= {known.id for known in PROVIDERS}


def test_an_unknown_package_is_said(machine):
    machine.user = {"provider": {"p": {"npm": "@somebody/else", "options": {"baseURL": FAR}}}}
    assert machine.notes() == [
        '~/.config/opencode/opencode.json:1:28: the package "@somebody/else" is not known here; '
        "the OpenAI chat API is assumed"
    ]


def test_models_of_a_known_provider_are_changed_and_added_to(machine):
    machine.user = {
        "provider": {
            "deepseek": {
                "whitelist": ["deepseek-chat", "new", "not-there"],
                "blacklist": ["not-there"],
                "models": {"deepseek-chat": {"name": "Chat"}, "new": {"attachment": True}, "not-there": {}},
            }
        }
    }
    assert machine.one("deepseek").models == (
        ModelInfo(ModelRef("deepseek", "deepseek-chat"), "Chat", 128_000, 8_192, False),
        ModelInfo(ModelRef("deepseek", "new"), "new", None, None, True),
    )


def test_providers_can_be_switched_off(machine):
    machine.environ |= {"OPENAI_API_KEY": "o", "ANTHROPIC_API_KEY": "a", "GROQ_API_KEY": "g"}
    machine.user = {"disabled_providers": ["openai"], **provider(baseURL=FAR)}
    assert [one.id for one in machine.all() if one.usable] == ["p", "anthropic", "groq"]
    machine.user = {"enabled_providers": ["openai", "groq"], "disabled_providers": ["groq"], **provider(baseURL=FAR)}
    assert [one.id for one in machine.all() if one.usable] == ["openai"]
    off = machine.one("groq")
    assert (off.api_key, off.models) == (None, ())
    assert machine.notes() == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "provider.p.options.baseURL is missing: write the address of the server there"),
        (
            {"baseURL": "{env:UNSET}"},
            "provider.p.options.baseURL is empty: write the address of the server there, "
            "or set the variable that it names",
        ),
        (
            {"baseURL": "far.example"},
            "provider.p.options.baseURL is no web address: it starts with https:// or http:// "
            "and holds no name or password",
        ),
        (
            {"baseURL": FAR, "apiKey": "{env:UNSET}"},
            "provider.p.options.apiKey is empty: set the variable or the file that it names",
        ),
    ],
)
def test_what_is_missing_is_said(machine, options, problem):
    machine.user = provider(**options)
    assert machine.one("p").problem == problem
    assert machine.notes() == [f'~/.config/opencode/opencode.json:1:20: provider "p" cannot be used: {problem}']


def test_an_address_that_came_out_empty_is_not_replaced_by_the_vendors_own(machine):
    machine.environ["OPENAI_API_KEY"] = "o"
    machine.user = {"provider": {"openai": {"options": {"baseURL": "{env:GATEWAY}"}}}}
    assert not machine.one("openai").usable


def test_the_users_own_address_for_a_known_provider_is_followed_and_needs_no_key(machine):
    machine.user = {"provider": {"openai": {"options": {"baseURL": NEAR}}}}
    made = machine.one("openai")
    assert (made.base_url, made.usable, made.api_key) == (NEAR, True, None)
    machine.environ["OPENAI_API_KEY"] = "o"
    assert machine.one("openai").api_key == "o"


def test_tokens_for_many_purposes_are_no_wish_to_send_code(machine):
    machine.environ["GITHUB_TOKEN"] = "gh"
    made = machine.one("github-models")
    assert (made.usable, made.api_key) == (False, None)
    assert made.problem == (
        'GITHUB_TOKEN is set for other purposes too; to send it to GitHub Models, write "provider": '
        '{"github-models": {}} into ~/.config/opencode/opencode.json'
    )
    machine.project = {"model": "github-models/openai/gpt-4.1", "provider": {"github-models": {}}}
    assert not machine.one("github-models").usable
    machine.user = {"provider": {"github-models": {}}}
    assert machine.one("github-models").api_key == "gh"
    machine.user = {"model": "github-models/openai/gpt-4.1"}
    machine.project = {}
    assert machine.one("github-models").api_key == "gh"


def test_nothing_is_chosen_that_nobody_named(machine):
    machine.environ["GITHUB_TOKEN"] = "gh"
    with pytest.raises(ModelUnknown, match="no model is configured and no provider has a key"):
        Models(machine.all()).default()


# Trust. Columns: the user's file, the project's file, whether it can be used, the key that would be sent.
KEY = {"apiKey": "plain"}
TRUST = {
    "the user's address and key": (provider(baseURL=FAR, **KEY), {}, True, "plain"),
    "the user's address, a key of the environment": (provider(baseURL=FAR, apiKey="{env:SECRET}"), {}, True, "s"),
    "the user's address, the project's key": (provider(baseURL=FAR), provider(**KEY), True, "plain"),
    "the user's address, a key that the project takes from the environment": (
        provider(baseURL=FAR),
        provider(apiKey="{env:SECRET}"),
        True,
        "s",
    ),
    "the project's far address": ({}, provider(baseURL=FAR), False, None),
    "the project's far address and key": ({}, provider(baseURL=FAR, **KEY), False, None),
    "the project's far address in the field api": ({}, {"provider": {"p": {"api": FAR}}}, False, None),
    "the project's far address over the user's": (provider(baseURL=FAR, **KEY), provider(baseURL=NEAR), False, None),
    "the project's address on this machine": ({}, provider(baseURL=NEAR), True, None),
    "the project's address on this machine and key": ({}, provider(baseURL=NEAR, **KEY), True, "plain"),
    "the project's address on this machine, a key of the environment": (
        {},
        provider(baseURL=NEAR, apiKey="{env:SECRET}"),
        False,
        None,
    ),
    "the project's address on this machine, a key of a file": (
        {},
        provider(baseURL=NEAR, apiKey="{file:key.txt}"),
        False,
        None,
    ),
    "the project's address on this machine, a variable by name": (
        {},
        {"provider": {"p": {"env": ["SECRET"], "options": {"baseURL": NEAR}}}},
        False,
        None,
    ),
    "the project's address on this machine, the user's key": (provider(**KEY), provider(baseURL=NEAR), False, None),
    "the project's address on this machine, the user's header": (
        provider(headers={"Authorization": "Bearer x"}),
        provider(baseURL=NEAR),
        False,
        None,
    ),
    "the project's address on this machine, a header of the environment": (
        {},
        provider(baseURL=NEAR, headers={"X": "{env:SECRET}"}),
        False,
        None,
    ),
    "the project's address on this machine with a secret in it": (
        {},
        provider(baseURL="http://localhost/{env:SECRET}"),
        False,
        None,
    ),
    "the project's address on this machine, a secret in the options of a model": (
        {},
        {"provider": {"p": {"options": {"baseURL": NEAR}, "models": {"m": {"options": {"x": "{env:SECRET}"}}}}}},
        False,
        None,
    ),
    "an address that looks like this machine": ({}, provider(baseURL="http://127.0.0.1.far.example/"), False, None),
    "another one": ({}, provider(baseURL="http://localhost@far.example/"), False, None),
    "and another": ({}, provider(baseURL="http://127.0.0.1\\@far.example/"), False, None),
    "an address by the project's package": (provider(**KEY), {"provider": {"p": {"npm": "@ai-sdk/xai"}}}, False, None),
}  # fmt: skip


@pytest.mark.parametrize(("user", "project", "usable", "key"), TRUST.values(), ids=TRUST)
def test_a_key_never_goes_to_an_address_of_the_project(machine, user, project, usable, key):
    (machine.project_folder / "key.txt").write_text("in a file")
    machine.environ["SECRET"] = "s"
    machine.user, machine.project = user, project
    made = machine.one("p")
    assert (made.usable, made.api_key) == (usable, key)
    if not usable:
        assert made.problem
        assert made.headers == {}
        assert made.base_url == ""


@pytest.mark.parametrize("known", ["openai", "anthropic", "ollama"])
@pytest.mark.parametrize("address", [FAR, NEAR])
def test_a_project_cannot_redirect_a_known_provider(machine, known, address):
    machine.environ |= {"OPENAI_API_KEY": "o", "ANTHROPIC_API_KEY": "a"}
    machine.project = {"model": f"{known}/m", "provider": {known: {"options": {"baseURL": address}}}}
    made = machine.one(known)
    assert (made.usable, made.api_key) == (False, None)
    assert made.base_url != address
    assert "a file of the project sends" in (made.problem or "")
    assert f"provider.{known}.options.baseURL into ~/.config/opencode/opencode.json" in (made.problem or "")


def test_the_content_variable_is_the_users(machine):
    machine.environ |= {
        "SECRET": "s",
        "OPENCODE_CONFIG_CONTENT": json.dumps(provider(baseURL=FAR, apiKey="{env:SECRET}")),
    }
    machine.project = provider(baseURL="https://other.example")
    made = machine.one("p")
    assert (made.base_url, made.api_key, made.usable) == (FAR, "s", True)


def test_no_secret_is_in_a_problem_or_a_note(machine):
    machine.environ["SECRET"] = "sk-very-secret-value"
    machine.user = provider(apiKey="{env:SECRET}")
    machine.project = provider(baseURL="http://far.example/{env:SECRET}")
    assert "sk-very" not in (machine.one("p").problem or "") + "".join(machine.notes())


def test_a_script_is_a_provider_of_the_users_configuration(machine):
    machine.user = {"provider": {"scripted": {"options": {"script": "/s.json"}, "models": {"demo": {}}}}}
    made = machine.one("scripted")
    assert (made.api, made.base_url, made.usable) == ("scripted", "/s.json", True)
    machine.user, machine.project = {}, machine.user
    assert machine.one("scripted").problem == (
        "a file of the project may not name a script; write it into ~/.config/opencode/opencode.json"
    )
    machine.project = {"provider": {"scripted": {}}}
    assert (
        machine.one("scripted").problem
        == "provider.scripted.options.script is missing: write the path of a script there"
    )
