"""What the settings say of model servers, as the registry takes it."""

from collections.abc import Sequence
from typing import Protocol

from streamlit_assistant.providers.upstream import (
    Api,
    Manner,
    ProviderOptions,
    StandIn,
    Upstream,
    configured_upstream,
)

FALLBACK_SETTING = "FALLBACK_MODELS"


class NamedFallback(Protocol):
    """A model that may answer in place of another one; without address at the same server."""

    @property
    def model(self) -> str: ...
    @property
    def base_url(self) -> str | None: ...
    @property
    def api_key(self) -> str | None: ...


class ModelSettings(Protocol):
    """The settings that matter here; `Settings` has them and more."""

    @property
    def openai_api_key(self) -> str | None: ...
    @property
    def openai_base_url(self) -> str | None: ...
    @property
    def openai_model(self) -> str | None: ...
    @property
    def openai_api(self) -> Api | None: ...
    @property
    def background_responses(self) -> bool | None: ...
    @property
    def fallback_models(self) -> Sequence[NamedFallback]: ...
    @property
    def model_aliases(self) -> Sequence[tuple[str, str]]: ...
    @property
    def answer_cache_seconds(self) -> int: ...
    @property
    def first_token_seconds(self) -> int | None: ...
    @property
    def silence_seconds(self) -> int: ...


def upstream_of(settings: ModelSettings) -> Upstream | None:
    """Return the model server that the settings name, or None."""
    return configured_upstream(
        settings.openai_api_key, settings.openai_base_url, settings.openai_model
    )


def options_of(settings: ModelSettings) -> ProviderOptions:
    """Return what else the settings say of model servers."""
    return ProviderOptions(
        Manner(
            settings.openai_api,
            settings.background_responses,
            settings.first_token_seconds,
            settings.silence_seconds,
        ),
        tuple(map(_stand_in, settings.fallback_models)),
        dict(settings.model_aliases),
        settings.answer_cache_seconds,
    )


def _stand_in(named: NamedFallback) -> StandIn:
    if named.base_url is None:
        return StandIn(named.model)
    there = Upstream(named.base_url, named.api_key, named.model, FALLBACK_SETTING)
    return StandIn(named.model, there)
