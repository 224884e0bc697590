"""The providers in force: what is known of them, changed by the configuration, with the keys of the environment.

One rule guards keys and code. Files of a project may be a stranger's, so an address that comes from one is used only
on this machine, and gets no key or header that comes from anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from acp_agent.config.diagnostic import Diagnostic, Layer, name
from acp_agent.config.load import LoadedConfig
from acp_agent.config.models import CostConfig, ModelConfig, ProviderConfig, ProviderOptions
from acp_agent.llm.catalogue import PROVIDERS, KnownModel, KnownProvider, WireApi, known_provider
from acp_agent.llm.models import SCRIPTED, ModelInfo, ModelRef, Prices, ProviderSettings
from acp_agent.llm.streaming import Timeouts

GLOBAL_FILE = "~/.config/opencode/opencode.json"

# Packages that opencode loads, by the provider whose wire API and address they stand for.
_NPM = {
    "@ai-sdk/anthropic": "anthropic",
    "@ai-sdk/openai": "openai",
    "@ai-sdk/google": "google",
    "@openrouter/ai-sdk-provider": "openrouter",
    "@ai-sdk/groq": "groq",
    "@ai-sdk/mistral": "mistral",
    "@ai-sdk/deepseek": "deepseek",
    "@ai-sdk/xai": "xai",
    "@ai-sdk/togetherai": "togetherai",
    "@ai-sdk/cerebras": "cerebras",
    "@ai-sdk/fireworks": "fireworks-ai",
    "@ai-sdk/deepinfra": "deepinfra",
}
_COMPATIBLE = "@ai-sdk/openai-compatible"
# Many have these for other reasons. They are no wish to send code to whoever else accepts them.
_GENERAL_TOKENS = frozenset({"GITHUB_TOKEN", "HF_TOKEN"})
_WEB_ADDRESS = re.compile(r"https?://[^/\s?#\\@]+(?:[/?#][^\s]*)?", re.IGNORECASE)
# Strict, since what we take for this machine must be it for the HTTP client as well.
_THIS_MACHINE = re.compile(
    r"https?://(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d+)?(?:/[^\s\\@]*)?", re.IGNORECASE
)
_NO_LIMIT = 86_400.0


def provider_settings(loaded: LoadedConfig, environ: Mapping[str, str]) -> tuple[ProviderSettings, ...]:
    """The configured providers in the configuration's order, then the well-known ones.

    A well-known provider without a key is listed too, so that messages can say what it lacks; it is not usable. What
    `disabled_providers` or `enabled_providers` rules out has a `problem` and no models.
    """
    return tuple(_Setting(provider, loaded, environ).made() for provider in _ids(loaded))


def provider_notes(loaded: LoadedConfig, environ: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """What the user should know about the configured providers: why one cannot be used, what was assumed."""
    notes: list[Diagnostic] = []
    for provider in loaded.config.provider:
        setting = _Setting(provider, loaded, environ)
        problem = setting.made().problem
        if problem and not setting.switched_off():
            said = f"provider {name(provider)} cannot be used: {problem}"
            notes.append(loaded.diagnostic(("provider", provider), said, "warning"))
        elif setting.unknown_package() and not setting.switched_off():
            said = f"the package {name(setting.section.npm or '')} is not known here; the OpenAI chat API is assumed"
            notes.append(loaded.diagnostic(("provider", provider, "npm"), said, "warning"))
    return tuple(notes)


def _ids(loaded: LoadedConfig) -> Iterator[str]:
    yield from loaded.config.provider
    yield from (known.id for known in PROVIDERS if known.id not in loaded.config.provider)


class _Setting:
    """One provider: its section of the configuration, what is known of it, and where its address comes from."""

    def __init__(self, provider: str, loaded: LoadedConfig, environ: Mapping[str, str]) -> None:
        self.id = provider
        self.loaded = loaded
        self.environ = environ
        self.configured = provider in loaded.config.provider
        self.section: ProviderConfig = loaded.config.provider.get(provider) or ProviderConfig()
        self.options: ProviderOptions = self.section.options
        self.known: KnownProvider | None = known_provider(provider)
        package = _NPM.get(self.section.npm or "")
        self.package: KnownProvider | None = known_provider(package) if package else None
        self.path: tuple[str, ...] = ("provider", provider)

    def made(self) -> ProviderSettings:
        bare = ProviderSettings(
            id=self.id,
            name=self.section.name or (self.known.name if self.known else self.id),
            api=self._api(),
            base_url=self.known.base_url if self.known else "",
            env=tuple(self.section.env) or (self.known.env if self.known else ()),
            configured=self.configured,
        )
        if self.switched_off():
            return replace(bare, problem="it is switched off by enabled_providers or disabled_providers")
        bare = replace(bare, models=tuple(self._models()), timeouts=self._timeouts())
        if bare.api == SCRIPTED:
            return self._scripted(bare)
        address, source = self._address()
        problem = self._bad_address(address, source) or self._distrust(address, source)
        if problem:
            return replace(bare, problem=problem)
        headers = dict(self.options.headers)
        if source is None or not self._from_project(source):
            # Beside the user's key, a header of a project's file could send the request to another host.
            path = (*self.path, "options", "headers")
            headers = {name: text for name, text in headers.items() if not self._from_project((*path, name))}
        return self._with_key(replace(bare, base_url=address or "", headers=headers), source)

    def switched_off(self) -> bool:
        config = self.loaded.config
        allowed = config.enabled_providers is None or self.id in config.enabled_providers
        return self.id in config.disabled_providers or not allowed

    def unknown_package(self) -> bool:
        """Whether a package is named that stands for no wire API we know."""
        npm = self.section.npm
        return bool(npm) and npm not in (_COMPATIBLE, SCRIPTED) and self.package is None and self.known is None

    def _api(self) -> WireApi:
        if SCRIPTED in (self.id, self.section.npm):
            return "scripted"
        if self.package is not None:
            return self.package.api
        if self.section.npm == _COMPATIBLE or self.known is None:
            return "openai_chat"
        return self.known.api

    def _address(self) -> tuple[str | None, tuple[str, ...] | None]:
        """The base URL, and the path of the configuration that it comes from; no path for a catalogue's own."""
        if self.options.base_url is not None:
            return self.options.base_url.strip(), (*self.path, "options", "baseURL")
        if self.section.api is not None:
            return self.section.api.strip(), (*self.path, "api")
        if self.known is not None:
            return self.known.base_url, None
        if self.package is not None:
            return self.package.base_url, (*self.path, "npm")
        return None, None

    def _bad_address(self, address: str | None, source: tuple[str, ...] | None) -> str | None:
        wanted = f"provider.{self.id}.options.baseURL"
        if address is None:
            return f"{wanted} is missing: write the address of the server there"
        written = ".".join(source or ())
        if not address:
            # Not the vendor's own address instead: code would go where the user did not send it.
            return f"{written} is empty: write the address of the server there, or set the variable that it names"
        if not _WEB_ADDRESS.fullmatch(address):
            return f"{written} is no web address: it starts with https:// or http:// and holds no name or password"
        return None

    def _distrust(self, address: str | None, source: tuple[str, ...] | None) -> str | None:
        """Why the address may not be used, if it comes from the project."""
        if source is None or not self._from_project(source):
            return None
        remedy = f"if you want that, write provider.{self.id}.options.baseURL into {GLOBAL_FILE}"
        if self.known is not None:
            return f"a file of the project sends {self.known.name} to another address, which is ignored; {remedy}"
        if not address or not _THIS_MACHINE.fullmatch(address):
            return f"its address comes from a file of the project, and code is not sent there; {remedy}"
        if self._withheld():
            return (
                "its address comes from a file of the project, so no key, header, or value of {env:} or {file:} is "
                f"sent there; {remedy}"
            )
        return None

    def _withheld(self) -> bool:
        """Whether anything would be sent that does not stand in the project's own files, in plain text."""
        options = (*self.path, "options")
        given = [(*options, "apiKey")] if self.options.api_key else []
        given += [(*options, "headers", header) for header in self.options.headers]
        for model, section in self.section.models.items():
            given += [(*self.path, "models", model, "headers", header) for header in section.headers]
        return (
            bool(self.section.env)
            or self.loaded.is_substituted(self.path)
            or any(not self._from_project(path) for path in given)
        )

    def _from_project(self, path: tuple[str, ...]) -> bool:
        return self.loaded.origin(path) is Layer.PROJECT

    def _with_key(self, made: ProviderSettings, source: tuple[str, ...] | None) -> ProviderSettings:
        own = (self.options.api_key or "").strip()
        if own:
            return replace(made, api_key=own)
        held_back: list[str] = []
        for variable in made.env:
            key = self.environ.get(variable, "").strip()
            if key and variable in _GENERAL_TOKENS and not self._named_by_user():
                held_back.append(variable)
            elif key:
                return replace(made, api_key=key)
        if held_back:
            said = f"{held_back[0]} is set for other purposes too; to send it to {made.name}, write "
            return replace(made, problem=f'{said}"provider": {{"{self.id}": {{}}}} into {GLOBAL_FILE}')
        key_path = (*self.path, "options", "apiKey")
        if self.options.api_key is not None and self.loaded.is_substituted(key_path):
            return replace(made, problem=f"{'.'.join(key_path)} is empty: set the variable or the file that it names")
        if source is not None and not self.section.env:
            # A server of the user's own in a well-known vendor's place may want no key.
            return replace(made, env=())
        return made

    def _named_by_user(self) -> bool:
        """Whether a file of the user's own, not of the project, names the provider."""
        model = self.loaded.config.model or ""
        if model.startswith(f"{self.id}/") and not self._from_project(("model",)):
            return True
        for source in self.loaded.sources:
            providers = source.document.value.get("provider")
            if source.layer.trusted and isinstance(providers, dict) and self.id in providers:
                return True
        return False

    def _scripted(self, made: ProviderSettings) -> ProviderSettings:
        path = (*self.path, "options", "script")
        script = (self.options.model_extra or {}).get("script")
        if not isinstance(script, str) or not script:
            return replace(made, problem=f"{'.'.join(path)} is missing: write the path of a script there")
        if self._from_project(path):
            return replace(made, problem=f"a file of the project may not name a script; write it into {GLOBAL_FILE}")
        return replace(made, base_url=script, env=())

    def _timeouts(self) -> Timeouts:
        extra = self.options.model_extra or {}
        limits = Timeouts()
        for value in (self.options.timeout, extra.get("headerTimeout")):
            limits = replace(limits, first_byte=_seconds(value, limits.first_byte))
        return replace(limits, idle=_seconds(extra.get("chunkTimeout"), limits.idle))

    def _models(self) -> Iterator[ModelInfo]:
        known = {model.id: model for model in self.known.models} if self.known else {}
        for model, section in self.section.models.items():
            if self._offered(model):
                yield self._configured_model(model, section, known.get(section.id or model))
        for model_id, about in known.items():
            if model_id not in self.section.models and self._offered(model_id):
                ref = ModelRef(self.id, model_id)
                yield ModelInfo(ref, model_id, about.context, about.output, about.image, audio=about.audio)

    def _offered(self, model: str) -> bool:
        allowed = self.section.whitelist is None or model in self.section.whitelist
        return allowed and model not in self.section.blacklist

    def _configured_model(self, model: str, section: ModelConfig, known: KnownModel | None) -> ModelInfo:
        image, audio = (known.image, known.audio) if known else (None, None)
        if section.modalities.input is not None:
            image, audio = ("image" in section.modalities.input, "audio" in section.modalities.input)
        elif section.attachment is not None:
            image = section.attachment
        return ModelInfo(
            ModelRef(self.id, model),
            name=section.name or model,
            context=_tokens(section.limit.context) or (known.context if known else None),
            output=_tokens(section.limit.output) or (known.output if known else None),
            image=image,
            audio=audio,
            tool_call=section.tool_call,
            api_id=section.id,
            options=dict(section.options),
            prices=_prices(section.cost),
        )


def _prices(cost: CostConfig) -> Prices | None:
    """The configured prices, if they tell what a request costs."""
    if cost.input is None or cost.output is None:
        return None
    return Prices(cost.input, cost.output, cost.cache_read, cost.cache_write)


def _tokens(limit: float | None) -> int | None:
    return int(limit) if limit is not None and limit >= 1 else None


def _seconds(milliseconds: object, default: float) -> float:
    if milliseconds is False:
        return _NO_LIMIT
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float) or not milliseconds > 0:
        return default
    return min(milliseconds / 1000, _NO_LIMIT)
