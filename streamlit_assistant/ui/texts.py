"""Page layer: the page's own words in the person's language. An answer's words are not its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from streamlit_assistant.catalogue import CHINESE, ENGLISH, read_catalogue


@dataclass(frozen=True)
class Texts:
    """The catalogue of one language; called with a key it returns the words."""

    language: str
    catalogue: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        return self.catalogue[key].format(**values)

    def __contains__(self, key: object) -> bool:
        return key in self.catalogue


def language_for(locale: str | None) -> str:
    """The language for a browser's locale: Chinese for every zh, else English."""
    primary = (locale or "").replace("_", "-").split("-")[0].lower()
    return CHINESE if primary == "zh" else ENGLISH


def load_texts(language: str) -> Texts:
    """Return the catalogue of a language."""
    return Texts(language, read_catalogue(language))
