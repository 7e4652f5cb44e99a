"""What the product was told at start. Part of the floor: knows nothing of the layers above it.

Flags win over the environment, that over `secrets.toml`, that over the defaults. Address and port
may also stand in `.streamlit/config.toml`, which comes just before the defaults.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from streamlit_assistant import model_setting_values as model_values
from streamlit_assistant import setting_values as values
from streamlit_assistant.errors import StartError
from streamlit_assistant.records import JSON

Value = TypeVar("Value")
Default = TypeVar("Default")

# What a process does: all of it; the API and nothing beside; the runs and nothing beside.
Role = Literal["all", "api", "worker"]
ROLES: Mapping[str | None, Role] = MappingProxyType({None: "all", "api": "api", "worker": "worker"})

NOTHING: Mapping[str, object] = MappingProxyType({})
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
LONGEST_SHOWN = 80  # characters of a wrong value


class SettingsError(StartError):
    """Settings are wrong; a line for each names it, what was given, where, and what is accepted."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured, checked; secrets never show in its `repr`."""

    data_dir: Path
    openai_api_key: str | None = field(default=None, repr=False)
    openai_base_url: str | None = None
    openai_model: str | None = None  # None: the model server's own default
    embedding_model: str | None = None  # None: the server's own, or what looks like one
    openai_assistant_id: str | None = None
    assistant_api_key: str | None = field(default=None, repr=False)
    database_url: str | None = field(default=None, repr=False)
    history_urls: tuple[str, ...] = field(default=(), repr=False)
    host: str = "127.0.0.1"
    port: int = 8501
    streaming: bool = True
    message_limit: int = 1000
    strict_ids: bool = True
    require_beta_header: bool = False
    role: Role = "all"  # a flag only: it is about one process, the others are about the site
    max_runs: int = 200  # at work at a time, in all processes together
    max_runs_per_user: int = 50
    max_queued_runs: int = 1000  # waiting until there is room among those
    max_queued_runs_per_user: int = 200
    run_seconds: int = 600  # after which a run expires
    drain_seconds: int = 5  # that running answers get at the end of the process
    openai_api: model_values.Api | None = None  # None: as is best for the server
    background_responses: bool | None = None  # the same
    fallback_models: tuple[model_values.FallbackModel, ...] = ()
    model_aliases: tuple[tuple[str, str], ...] = ()  # the model asked for, the one to ask
    hosted_tools: tuple[JSON, ...] = field(default=(), repr=False)  # keys may stand in them
    requests_per_minute: int | None = None  # to each model server, of all processes together
    tokens_per_minute: int | None = None
    answer_cache_seconds: int = 0
    first_token_seconds: int | None = None  # None: long enough for where the model server is
    silence_seconds: int = 120

    @classmethod
    def load(
        cls,
        flags: Mapping[str, str | None],
        environ: Mapping[str, str],
        secrets: Mapping[str, object],
        config: Mapping[str, object] = NOTHING,
    ) -> "Settings":
        """Read the settings from their sources; raises `SettingsError` with all that is wrong."""
        given = _Given(flags, environ, secrets, config)
        settings = cls(
            data_dir=given.read("DATA_DIR", values.folder, None) or default_data_dir(environ),
            openai_api_key=given.read("OPENAI_API_KEY", values.api_key, None, secret=True),
            openai_base_url=given.read("OPENAI_BASE_URL", values.http_url, None),
            openai_model=given.read("OPENAI_MODEL", values.model_name, None),
            embedding_model=given.read("EMBEDDING_MODEL", values.model_name, None),
            openai_assistant_id=given.read("OPENAI_ASSISTANT_ID", values.assistant_id, None),
            assistant_api_key=given.read(
                "ASSISTANT_API_KEY", values.own_api_key, None, secret=True
            ),
            database_url=given.read("DATABASE_URL", values.database_url, None),
            history_urls=given.read("HISTORY_URLS", values.history_urls, (), secret=True),
            host=given.read("HOST", values.host, cls.host, server_option="address"),
            port=given.read("PORT", values.port, cls.port, server_option="port"),
            streaming=given.read("ASSISTANT_STREAMING", values.boolean, cls.streaming),
            message_limit=given.read("MESSAGE_LIMIT", values.message_limit, cls.message_limit),
            strict_ids=given.read("STRICT_IDS", values.boolean, cls.strict_ids),
            require_beta_header=given.read(
                "REQUIRE_BETA_HEADER", values.boolean, cls.require_beta_header
            ),
            role=ROLES[flags.get("ROLE")],
        )
        settings = _with_models(_with_limits(settings, given), given)
        problems = [*given.problems, *_mistaken_for_upstream(settings), *_copied_home(settings)]
        if problems:
            raise SettingsError(*problems)
        return settings


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Where a person's programs keep their data, by the XDG rules."""
    shared = Path(environ.get("XDG_DATA_HOME", ""))
    if shared.is_absolute():  # a relative one is to be ignored, say the rules
        return shared / "streamlit-assistant"
    try:
        return Path.home() / ".local" / "share" / "streamlit-assistant"
    except RuntimeError:
        raise SettingsError(
            "DATA_DIR is not given and this user has no home folder; say where with --data-dir"
        ) from None


def _mistaken_for_upstream(settings: Settings) -> Iterator[str]:
    """Say where this server is named as its own model server: its clients read the same names."""
    url = urlsplit(settings.openai_base_url or "")
    if url.port == settings.port and url.hostname in (*LOCAL_HOSTS, settings.host):
        yield (
            f"OPENAI_BASE_URL is {settings.openai_base_url}, which is this server's own address; "
            "set it only where your programs run, or to a model server"
        )
    for fallback in settings.fallback_models:
        url = urlsplit(fallback.base_url or "")
        if url.port == settings.port and url.hostname in (*LOCAL_HOSTS, settings.host):
            yield (
                f"FALLBACK_MODELS names {fallback.base_url}, which is this server's own address; "
                "name a model server"
            )
    if values.OWN_KEY.fullmatch(settings.openai_api_key or ""):
        yield (
            "OPENAI_API_KEY is a key of this server, for programs that call it; "
            "set it only where they run, or to a model server's key"
        )


def _copied_home(settings: Settings) -> Iterator[str]:
    """Say where copies would go where the chats are: one would keep the other waiting."""
    own = settings.database_url or f"sqlite:///{settings.data_dir / 'assistant.db'}"
    places = [values.history_place(url).partition("?")[0] for url in settings.history_urls]
    if values.history_place(own).partition("?")[0] in places:
        yield "HISTORY_URLS names this server's own database; name another one for the copies"


def _with_limits(settings: Settings, given: "_Given") -> Settings:
    """Read how much may be at work, and for how long."""
    count = values.run_count
    return replace(
        settings,
        max_runs=given.read("MAX_RUNS", count, settings.max_runs),
        max_runs_per_user=given.read("MAX_RUNS_PER_USER", count, settings.max_runs_per_user),
        max_queued_runs=given.read("MAX_QUEUED_RUNS", count, settings.max_queued_runs),
        max_queued_runs_per_user=given.read(
            "MAX_QUEUED_RUNS_PER_USER", count, settings.max_queued_runs_per_user
        ),
        run_seconds=given.read("RUN_SECONDS", values.run_seconds, settings.run_seconds),
        drain_seconds=given.read("DRAIN_SECONDS", values.drain_seconds, settings.drain_seconds),
    )


def _with_models(settings: Settings, given: "_Given") -> Settings:
    """Read how model servers are asked, and who answers in whose place."""
    patience, rate = model_values.patience_seconds, model_values.per_minute
    return replace(
        settings,
        openai_api=given.read("OPENAI_API", model_values.api_name, None),
        background_responses=given.read("BACKGROUND_RESPONSES", model_values.boolean_or_auto, None),
        fallback_models=given.read(
            "FALLBACK_MODELS", model_values.fallback_models, (), secret=True
        ),
        model_aliases=given.read("MODEL_ALIASES", model_values.model_aliases, ()),
        hosted_tools=given.read("HOSTED_TOOLS", model_values.hosted_tools, (), secret=True),
        requests_per_minute=given.read("REQUESTS_PER_MINUTE", rate, None),
        tokens_per_minute=given.read("TOKENS_PER_MINUTE", rate, None),
        answer_cache_seconds=given.read("ANSWER_CACHE_SECONDS", model_values.cache_seconds, 0),
        first_token_seconds=given.read("FIRST_TOKEN_SECONDS", patience, None),
        silence_seconds=given.read("SILENCE_SECONDS", patience, settings.silence_seconds),
    )


class _Given:
    """The sources of the settings in their order, and what was wrong in them so far."""

    def __init__(
        self,
        flags: Mapping[str, str | None],
        environ: Mapping[str, str],
        secrets: Mapping[str, object],
        config: Mapping[str, object],
    ) -> None:
        self.problems: list[str] = []
        self._flags = flags
        self._environ = environ
        self._secrets = secrets
        server = config.get("server")
        self._server_options = server if isinstance(server, Mapping) else NOTHING

    def read(
        self,
        name: str,
        accept: Callable[[object], Value],
        default: Default,
        *,
        secret: bool = False,
        server_option: str | None = None,
    ) -> Value | Default:
        """The value of the first source that has the setting; a wrong one is noted, not skipped."""
        for label, value in self._candidates(name, server_option):
            # An empty variable is how shells and container files say "not set".
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            try:
                return accept(value)
            except values.Refused as accepted:
                given = "a hidden value" if secret else shown(value)
                self.problems.append(f"{label} is {given}; accepted: {accepted}")
                break
        return default

    def _candidates(self, name: str, server_option: str | None) -> Iterator[tuple[str, object]]:
        flag = "--" + name.lower().replace("_", "-")
        yield f"{flag} (command line)", self._flags.get(name)
        if server_option:
            streamlit_name = f"STREAMLIT_SERVER_{server_option.upper()}"
            yield f"{streamlit_name} (environment)", self._environ.get(streamlit_name)
        yield f"{name} (environment)", self._environ.get(name)
        yield f"{name} (secrets.toml)", self._secrets.get(name)
        if server_option:
            yield f"server.{server_option} (config.toml)", self._server_options.get(server_option)


def shown(value: object) -> str:
    """A wrong value for people to recognise, without the passwords and keys it may hold."""
    # Nobody can tell where in a wrong address the password is: all that may be one is left out.
    given = re.sub(r"^.*@", "'…@", repr(value))
    given = re.sub(r"\?.*", "?…'", given)
    given = re.sub(r"\b(?!https?:|sqlite:)(\w[\w+]*://|postgres\w*:).*", r"\1…'", given)
    given = re.sub(r"\bsk-[\w-]+", "sk-…", given)
    return given if len(given) <= LONGEST_SHOWN else given[: LONGEST_SHOWN - 1] + "…"
