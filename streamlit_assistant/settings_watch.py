"""Watches `secrets.toml` and hands on what changed. Part of the floor, beside the settings."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields

from watchdog import events
from watchdog.observers import Observer
from watchdog.utils.event_debouncer import EventDebouncer

from streamlit_assistant.settings import Settings, SettingsError
from streamlit_assistant.settings_files import SettingsFiles, SettingsSources

# How long the files must be quiet: an editor saves in several steps, and half a file means nothing.
QUIET = 0.2  # seconds
# Everything that can put another text behind the name; reading it is not among them.
CHANGES: list[type[events.FileSystemEvent]] = [
    events.FileCreatedEvent,
    events.FileModifiedEvent,
    events.FileMovedEvent,
    events.FileDeletedEvent,
    events.DirCreatedEvent,  # a mounted secret is replaced by a new folder and a link to it
    events.DirMovedEvent,
]
USED_AT_ONCE = {
    *("openai_api_key", "openai_base_url", "openai_model", "openai_api"),
    *("fallback_models", "model_aliases", "background_responses"),
    *("first_token_seconds", "silence_seconds", "answer_cache_seconds"),
    *("requests_per_minute", "tokens_per_minute"),
}

logger = logging.getLogger(__name__)


@contextmanager
def watched_settings(
    current: Settings, sources: SettingsSources, use: Callable[[Settings], None]
) -> Iterator[None]:
    """While this is open, `use` gets the settings whenever they changed, in a thread of its own."""
    debouncer = EventDebouncer(QUIET, _Reload(current, sources, use))
    debouncer.start()
    try:
        with _observed(sources.files, debouncer):
            yield
    finally:
        debouncer.stop()
        debouncer.join()


@contextmanager
def _observed(files: SettingsFiles, debouncer: EventDebouncer) -> Iterator[None]:
    observer = Observer()
    # The folders, not the files: editors put a new file in the place of the old one.
    folders = {path.parent for path in files.secrets_paths}
    folders |= {path.resolve().parent for path in files.secrets_paths}
    try:
        for folder in folders:
            if folder.is_dir():
                observer.schedule(_Changes(debouncer), folder, event_filter=CHANGES)
        observer.start()
    except OSError as error:  # the system's watches are used up, which is no reason not to serve
        logger.warning("secrets.toml cannot be watched, changes need a restart: %s", error)
    try:
        yield
    finally:
        if observer.is_alive():
            observer.stop()
            observer.join()


class _Changes(events.FileSystemEventHandler):
    """Passes every change to the debouncer, which waits until the last of them."""

    def __init__(self, debouncer: EventDebouncer) -> None:
        self._debouncer = debouncer

    def on_any_event(self, event: events.FileSystemEvent) -> None:
        self._debouncer.handle_event(event)


class _Reload:
    """Reads the settings again and hands them on if they are new and right."""

    def __init__(
        self, current: Settings, sources: SettingsSources, use: Callable[[Settings], None]
    ) -> None:
        self._current = current
        self._sources = sources
        self._use = use

    def __call__(self, _changes: list[events.FileSystemEvent]) -> None:
        try:
            settings = self._sources.load()
        except SettingsError as error:
            logger.error("The changed settings are not used, the old ones stay: %s", error)
            return
        changed = {
            field.name
            for field in fields(settings)
            if getattr(settings, field.name) != getattr(self._current, field.name)
        }
        if not changed:
            return
        self._current = settings
        self._use(settings)
        if at_once := sorted(changed & USED_AT_ONCE):
            logger.info("Changed settings, used for new runs: %s", ", ".join(at_once))
        if later := sorted(changed - USED_AT_ONCE):
            logger.warning("Changed settings, used after a restart: %s", ", ".join(later))
