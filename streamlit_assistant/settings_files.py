"""The settings' files: `.streamlit/` in the current folder, then the one beside `main.py`.

Part of the floor: knows nothing of the layers above it.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from streamlit_assistant.settings import Settings, SettingsError


@dataclass(frozen=True)
class SettingsFiles:
    """The `.streamlit` folders to read, the nearest first."""

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, *places: Path) -> "SettingsFiles":
        """The files in these places, each place once."""
        return cls(tuple(dict.fromkeys(place.resolve() / ".streamlit" for place in places)))

    @property
    def secrets_paths(self) -> tuple[Path, ...]:
        """Where a `secrets.toml` may lie."""
        return tuple(folder / "secrets.toml" for folder in self.folders)

    def secrets(self) -> dict[str, object]:
        """What the `secrets.toml` files say; the nearer file wins."""
        merged: dict[str, object] = {}
        for path in reversed(self.secrets_paths):
            merged |= read_toml(path)
        return merged

    def config_path(self) -> Path | None:
        """The `config.toml` that counts: the nearest there is."""
        paths = (folder / "config.toml" for folder in self.folders)
        return next((path for path in paths if path.is_file()), None)

    def config(self) -> dict[str, object]:
        """What the `config.toml` that counts says."""
        path = self.config_path()
        return read_toml(path) if path else {}


@dataclass(frozen=True)
class SettingsSources:
    """All the places settings come from, so that they can be read again when a file changes.

    `environ` must be a copy made at start: what reads it later must not find what others put there.
    """

    flags: Mapping[str, str | None]
    environ: Mapping[str, str]
    files: SettingsFiles

    def load(self) -> Settings:
        """Read the settings as they are now; raises `SettingsError`."""
        return Settings.load(self.flags, self.environ, self.files.secrets(), self.files.config())


def read_toml(path: Path) -> dict[str, object]:
    """What a TOML file says, nothing if there is none; raises `SettingsError` if it is broken."""
    try:
        # Some editors put a byte order mark in front, which TOML does not know.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error


def flattened(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The values of nested tables under dotted names, as Streamlit's flags are called."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
