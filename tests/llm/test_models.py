from __future__ import annotations

from pathlib import Path

import pytest

from acp_agent.llm.anthropic import AnthropicMessages
from acp_agent.llm.catalogue import ALL_KEY_VARIABLES, PROVIDERS, known_provider
from acp_agent.llm.models import ModelInfo, ModelRef, Models, ModelUnknown, ProviderSettings
from acp_agent.llm.openai_chat import OpenAIChat
from acp_agent.llm.provider import ProviderError
from acp_agent.llm.scripted import Scripted


def infos(provider: str, *names: str) -> tuple[ModelInfo, ...]:
    return tuple(ModelInfo(ModelRef(provider, name), name) for name in names)


def openai(key: str | None = "k") -> ProviderSettings:
    models = infos("openai", "gpt-5", "gpt-5.1", "shared")
    return ProviderSettings(
        "openai", "OpenAI", "openai_chat", "https://o/v1", key, env=("OPENAI_API_KEY",), models=models
    )


def anthropic(key: str | None = "k") -> ProviderSettings:
    models = infos("anthropic", "claude-sonnet-4-5", "shared")
    return ProviderSettings(
        "anthropic", "Anthropic", "anthropic", "https://a", key, env=("ANTHROPIC_API_KEY",), models=models
    )


def groq(key: str | None = None) -> ProviderSettings:
    models = infos("groq", "openai/gpt-oss-120b", "qwen/qwen3")
    return ProviderSettings("groq", "Groq", "openai_chat", "https://g", key, env=("GROQ_API_KEY",), models=models)


def ollama(configured: bool) -> ProviderSettings:
    models = infos("ollama", "qwen3") if configured else ()
    return ProviderSettings("ollama", "Ollama", "openai_chat", "http://l/v1", models=models, configured=configured)


ALL = (openai(), anthropic(), groq(), ollama(False))


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("openai/gpt-5", "openai/gpt-5"),
        (" openai/gpt-5 ", "openai/gpt-5"),
        ("gpt-5", "openai/gpt-5"),
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("qwen/qwen3", "groq/qwen/qwen3"),
        ("ollama/anything:7b", "ollama/anything:7b"),
    ],
)
def test_a_name_means_a_model(name: str, ref: str):
    resolution = Models(ALL).resolve(name)
    assert (str(resolution.info.ref), resolution.note) == (ref, None)


def test_a_model_that_is_not_known_of_its_provider_is_asked_for_with_a_note():
    resolution = Models(ALL).resolve("openai/gpt-5.2")
    assert resolution.info == ModelInfo(ModelRef("openai", "gpt-5.2"), "gpt-5.2")
    assert resolution.note == (
        "openai/gpt-5.2 is not among the models known of OpenAI; it is asked for as written; did you mean gpt-5.1?"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shared", 'offered by several providers: write "openai/shared" or "anthropic/shared"'),
        ("gpt5", 'model "gpt5" is unknown; did you mean "openai/gpt-5"'),
        ("opnai/gpt-5", 'provider "opnai" of model "opnai/gpt-5" is unknown; did you mean "openai/gpt-5"'),
        ("zzz", "one of the providers openai, anthropic, groq, ollama"),
        ("zzz/yyy", 'provider "zzz"'),
        ("openai/", "is unknown"),
        ("", "is unknown"),
    ],
)
def test_a_name_that_means_nothing_is_answered_with_candidates(name: str, words: str):
    with pytest.raises(ModelUnknown) as caught:
        Models(ALL).resolve(name)
    assert words in str(caught.value)


def test_of_several_owners_the_only_usable_one_is_meant():
    assert str(Models((openai(), anthropic(None))).resolve("shared").info.ref) == "openai/shared"


def test_the_configured_model_is_the_default():
    assert Models(ALL, "anthropic/claude-sonnet-4-5").default() == Models(ALL).resolve("anthropic/claude-sonnet-4-5")
    with pytest.raises(ModelUnknown, match="did you mean"):
        Models(ALL, "gpt5").default()


def test_the_only_provider_with_a_key_gives_the_default_and_a_note():
    resolution = Models((openai(None), anthropic(), groq(), ollama(False))).default()
    assert str(resolution.info.ref) == "anthropic/claude-sonnet-4-5"
    assert resolution.note is not None
    assert '"model": "provider/model"' in resolution.note


def test_a_local_provider_counts_only_if_it_is_configured():
    assert str(Models((openai(None), ollama(True))).default().info.ref) == "ollama/qwen3"
    with pytest.raises(ModelUnknown):
        Models((openai(None), ollama(False))).default()


def test_the_script_is_never_a_default():
    script = ProviderSettings(
        "scripted", "Script", "scripted", "x.json", models=infos("scripted", "a"), configured=True
    )
    with pytest.raises(ModelUnknown):
        Models((script,)).default()
    assert Models((script,)).resolve("scripted/a").info.ref == ModelRef("scripted", "a")


def test_without_a_key_the_message_says_what_to_write():
    with pytest.raises(ModelUnknown, match="ANTHROPIC_API_KEY"):
        Models((openai(None),)).default()
    with pytest.raises(ModelUnknown, match=r'"openai/gpt-5\.1" or "anthropic/claude-sonnet-4-5"'):
        Models((openai(), anthropic())).default()


def test_only_models_that_can_be_used_are_offered():
    barred = ProviderSettings("x", "X", "openai_chat", "https://x", "k", models=infos("x", "m"), problem="not trusted")
    by_header = ProviderSettings("h", "H", "anthropic", "https://h", headers={"X-API-Key": "k"}, models=infos("h", "m"))
    models = Models((openai(None), anthropic(), barred, by_header, ollama(True)))
    assert [str(info.ref) for info in models.available()] == [
        "anthropic/claude-sonnet-4-5",
        "anthropic/shared",
        "h/m",
        "ollama/qwen3",
    ]


def test_a_provider_is_made_once_by_its_api():
    script = ProviderSettings("scripted", "Script", "scripted", "x.json", configured=True)
    models = Models((openai(), anthropic(), ollama(True), script))
    made = [models.provider(ModelRef(name, "m")) for name in ("openai", "anthropic", "ollama", "scripted")]
    assert [type(one) for one in made] == [OpenAIChat, AnthropicMessages, OpenAIChat, Scripted]
    assert [one.name for one in made] == ["openai", "anthropic", "ollama", "scripted"]
    assert models.provider(ModelRef("openai", "other")) is made[0]


@pytest.mark.parametrize(
    ("ref", "kind", "words"),
    [
        ("openai", "auth", "openai/m: no key: set OPENAI_API_KEY, or provider.openai.options.apiKey"),
        ("barred", "auth", "barred/m: its key belongs to another host"),
        ("none", "not_found", 'none/m: provider "none" is unknown'),
    ],
)
def test_a_provider_that_cannot_be_used_says_why(ref: str, kind: str, words: str):
    barred = ProviderSettings("barred", "B", "openai_chat", "https://b", "k", problem="its key belongs to another host")
    with pytest.raises(ProviderError) as caught:
        Models((openai(None), barred)).provider(ModelRef(ref, "m"))
    assert (caught.value.kind, str(caught.value)) == (kind, words)


@pytest.mark.anyio
async def test_closing_the_models_closes_their_providers():
    models = Models((openai(),))
    first = models.provider(ModelRef("openai", "m"))
    await models.aclose()
    assert models.provider(ModelRef("openai", "m")) is not first


def test_the_catalogue_is_consistent():
    assert len({known.id for known in PROVIDERS}) == len(PROVIDERS)
    for known in PROVIDERS:
        assert known.base_url.startswith("https://" if known.env else "http://127.0.0.1")
        assert set(known.env) <= ALL_KEY_VARIABLES
        offered = [model.id for model in known.models]
        assert len(set(offered)) == len(offered)
        assert known.default_model is None or known.default_model in offered
        assert known_provider(known.id) is known
    assert known_provider("nobody") is None
    assert not ALL_KEY_VARIABLES & {"PATH", "HOME", "AWS_REGION"}


def test_a_scripted_provider_takes_its_file_from_the_settings(tmp_path: Path):
    script = ProviderSettings("scripted", "Script", "scripted", str(tmp_path / "s.json"))
    assert isinstance(Models((script,)).provider(ModelRef("scripted", "m")), Scripted)
