"""Libraries that not everybody has installed, loaded by whoever needs them."""

import importlib
from typing import Any

from streamlit_assistant.history.history_errors import MissingDriver


def driver(module: str, extra: str) -> Any:
    """Return a library of one of our extras; raise `MissingDriver` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # it is installed, and lacks something itself
        raise MissingDriver(
            f"{module.partition('.')[0]} is not installed: pip install -e '.[{extra}]'"
        ) from error
