"""Which models there are, which one a name means, and the provider object that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from acp_agent.llm.catalogue import WireApi, known_provider
from acp_agent.llm.provider import ErrorKind, Provider, ProviderError
from acp_agent.llm.streaming import Timeouts

SCRIPTED = "scripted"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model of a provider, written `provider/model`; the model's id may hold further slashes."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens; what the cache costs is None where it is not known."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model; None is unknown. `context` and `output` are in tokens.

    `api_id` is what the vendor calls the model, if that is not `ref.model`; `options` go into each request.
    """

    ref: ModelRef
    name: str = ""
    context: int | None = None
    output: int | None = None
    image: bool | None = None
    tool_call: bool | None = None
    api_id: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    prices: Prices | None = None
    audio: bool | None = None

    @property
    def id(self) -> str:
        """What a request calls the model."""
        return self.api_id or self.ref.model


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """A provider as configured.

    `problem` says why it cannot be used, in words for a person. `configured`: the user wrote it, it is not only known.
    `env` names the variables of its key; without any the key may be missing. With the api `scripted`, `base_url` is
    the path of the script.
    """

    id: str
    name: str
    api: WireApi
    base_url: str
    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    models: tuple[ModelInfo, ...] = ()
    problem: str | None = None
    configured: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def has_key(self) -> bool:
        """Whether requests would carry a key: its own, or one in the headers."""
        return bool(self.api_key) or any(name.lower() in ("authorization", "x-api-key") for name in self.headers)

    @property
    def usable(self) -> bool:
        """Whether a request could be sent."""
        return self.problem is None and (self.has_key or (self.configured and not self.env))


@dataclass(frozen=True, slots=True)
class Resolution:
    """The model that a name means, and what the user should be told about that once."""

    info: ModelInfo
    note: str | None = None


class ModelUnknown(ValueError):
    """No model, or no single one, is meant by a name. The message names candidates and what to do."""


def _openai_chat(settings: ProviderSettings) -> Provider:
    from acp_agent.llm.openai_chat import OpenAIChat as Api

    return Api(
        settings.id,
        settings.base_url,
        settings.api_key,
        settings.headers,
        env=settings.env,
        timeouts=settings.timeouts,
    )


def _anthropic(settings: ProviderSettings) -> Provider:
    from acp_agent.llm.anthropic import AnthropicMessages as Api

    return Api(
        settings.id,
        settings.base_url,
        settings.api_key,
        settings.headers,
        env=settings.env,
        timeouts=settings.timeouts,
        max_output={model.id: model.output for model in settings.models if model.output},
    )


def _scripted(settings: ProviderSettings) -> Provider:
    from acp_agent.llm.scripted import Scripted as Api

    return Api(Path(settings.base_url), name=settings.id)


APIS: Mapping[WireApi, Callable[[ProviderSettings], Provider]] = {
    "openai_chat": _openai_chat,
    "anthropic": _anthropic,
    "scripted": _scripted,
}


class Models:
    """The configured providers and their models. `default` is the configured model, as the user wrote it.

    Nothing is loaded or asked before it is needed, and the constructor raises nothing.
    """

    def __init__(self, settings: Sequence[ProviderSettings], default: str | None = None) -> None:
        self._settings = {one.id: one for one in settings}
        self._default = default
        self._providers: dict[str, Provider] = {}

    def available(self) -> tuple[ModelInfo, ...]:
        """The models of the providers that can be used, in the configuration's order."""
        return tuple(model for one in self._settings.values() if one.usable for model in one.models)

    def resolve(self, name: str) -> Resolution:
        """The model that `provider/model`, or a model's name alone, means. Raises `ModelUnknown`."""
        name = name.strip()
        provider, slash, model = name.partition("/")
        settings = self._settings.get(provider)
        if slash and settings is not None and model:
            return self._of(settings, model)
        # A model's own name may hold a slash: gpt-oss is openai/gpt-oss-120b with several vendors.
        owners = [info for one in self._settings.values() for info in one.models if info.ref.model == name]
        if len(owners) > 1:
            usable = [info for info in owners if self._settings[info.ref.provider].usable]
            owners = usable if len(usable) == 1 else owners
        match owners:
            case [info]:
                return Resolution(info)
            case [_, *_]:
                raise ModelUnknown(f'model "{name}" is offered by several providers: write {_either(owners)}')
        if slash and not settings:
            raise ModelUnknown(f'provider "{provider}" of model "{name}" is unknown{self._near(name)}')
        raise ModelUnknown(f'model "{name}" is unknown{self._near(name)}')

    def default(self) -> Resolution:
        """The model that a session starts with: the configured one, or that of the only provider with a key.

        Raises `ModelUnknown` if there is none or more than one.
        """
        if self._default:
            return self.resolve(self._default)
        ready = [one for one in self._settings.values() if one.usable and one.id != SCRIPTED and one.api != SCRIPTED]
        if len(ready) == 1:
            model = self._first_model(ready[0])
            if model is not None:
                ref = f"{ready[0].id}/{model}"
                note = f'no model is configured; using {ref}. To choose another, write "model": "provider/model"'
                return Resolution(self._of(ready[0], model).info, note)
        raise ModelUnknown(self._no_default(ready))

    def provider(self, ref: ModelRef) -> Provider:
        """The object that talks to a model's provider, always the same one. Raises `ProviderError` if it cannot."""
        settings = self._settings.get(ref.provider)
        if settings is None:
            raise _unusable(ref, f'provider "{ref.provider}" is unknown', "not_found")
        if settings.problem is not None:
            raise _unusable(ref, settings.problem, "auth")
        if settings.env and not settings.has_key and settings.api != SCRIPTED:
            names = " or ".join(settings.env)
            raise _unusable(ref, f"no key: set {names}, or provider.{ref.provider}.options.apiKey", "auth")
        if ref.provider not in self._providers:
            self._providers[ref.provider] = APIS[settings.api](settings)
        return self._providers[ref.provider]

    def provider_name(self, provider: str) -> str:
        """The provider's name for people; its id if it is not known."""
        settings = self._settings.get(provider)
        return settings.name if settings is not None and settings.name else provider

    def described(self, ref: ModelRef) -> dict[str, object]:
        """How a model is reached, for the log: the api, the address without what may be secret, whether with a key."""
        settings = self._settings.get(ref.provider)
        if settings is None:
            return {}
        url = settings.base_url.partition("?")[0]
        scheme, separator, rest = url.rpartition("://")
        authority, slash, path = rest.partition("/")
        shown = f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"
        return {"api": settings.api, "url": shown, "key": settings.has_key}

    async def aclose(self) -> None:
        """Close the connections of all providers."""
        providers = list(self._providers.values())
        self._providers.clear()
        for provider in providers:
            await provider.aclose()

    def _of(self, settings: ProviderSettings, model: str) -> Resolution:
        for info in settings.models:
            if info.ref.model == model:
                return Resolution(info)
        ref = ModelRef(settings.id, model)
        note = None
        if settings.models:
            near = _close_names(model, [info.ref.model for info in settings.models])
            hint = f"; did you mean {near[0]}?" if near else ""
            note = f"{ref} is not among the models known of {settings.name}; it is asked for as written{hint}"
        return Resolution(ModelInfo(ref, name=model), note)

    def _first_model(self, settings: ProviderSettings) -> str | None:
        known = known_provider(settings.id)
        offered = [info.ref.model for info in settings.models]
        if known is not None and known.default_model and (not offered or known.default_model in offered):
            return known.default_model
        return offered[0] if offered else None

    def _near(self, name: str) -> str:
        models = [info.ref for one in self._settings.values() for info in one.models]
        spelled = {str(ref): str(ref) for ref in models} | {ref.model: str(ref) for ref in models}
        close = list(dict.fromkeys(spelled[found] for found in _close_names(name, list(spelled))))
        provider, slash, rest = name.partition("/")
        if slash and provider not in self._settings:
            close = [f"{one}/{rest}" for one in _close_names(provider, list(self._settings))] + close
        if close:
            return "; did you mean " + " or ".join(f'"{one}"' for one in dict.fromkeys(close[:3])) + "?"
        return (
            f'; write "provider/model" with one of the providers {", ".join(self._settings) or "of the configuration"}'
        )

    def _no_default(self, ready: Sequence[ProviderSettings]) -> str:
        if not ready:
            return (
                "no model is configured and no provider has a key: set a key such as ANTHROPIC_API_KEY or "
                'OPENAI_API_KEY, or write "model": "provider/model" and the provider into the configuration'
            )
        choices = [f"{one.id}/{self._first_model(one) or 'MODEL'}" for one in ready]
        return 'no model is configured: write "model": ' + " or ".join(f'"{one}"' for one in choices[:5])


def _either(infos: Sequence[ModelInfo]) -> str:
    return " or ".join(f'"{info.ref}"' for info in infos[:5])


def _close_names(name: str, names: Sequence[str]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(name, names, n=3, cutoff=0.6)


def _unusable(ref: ModelRef, why: str, kind: ErrorKind) -> ProviderError:
    return ProviderError(f"{ref}: {why}", kind=kind, provider=ref.provider, model=ref.model)
