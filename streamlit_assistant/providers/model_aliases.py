"""OpenAI's models that are switched off, or will be: assistants of former years name them.

The dates are those that OpenAI has announced, as of November 2026.
"""

from datetime import date, timedelta

from streamlit_assistant.providers.base import Noticed

SOON = timedelta(days=60)

_LAST_DAYS = {
    "2025-07-14": "gpt-4.5-preview gpt-4.5-preview-2025-02-27",
    "2025-07-28": "o1-preview o1-preview-2024-09-12",
    "2025-10-27": "o1-mini o1-mini-2024-09-12",
    "2026-02-17": "chatgpt-4o-latest",
    "2026-07-23": (
        "gpt-5-chat-latest gpt-5.1-chat-latest gpt-5.1-codex gpt-4o-search-preview "
        "gpt-4o-search-preview-2025-03-11 gpt-4o-mini-search-preview "
        "gpt-4o-mini-search-preview-2025-03-11"
    ),
    "2026-08-10": "gpt-5.2-chat-latest gpt-5.3-chat-latest",
    # The last day of these; some of their dated versions went before.
    "2026-10-23": (
        "gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-3.5-turbo-0301 gpt-3.5-turbo-0613 "
        "gpt-3.5-turbo-1106 gpt-3.5-turbo-16k gpt-3.5-turbo-16k-0613 "
        "gpt-4 gpt-4-0314 gpt-4-0613 gpt-4-32k gpt-4-32k-0314 gpt-4-32k-0613 "
        "gpt-4-turbo gpt-4-turbo-2024-04-09 gpt-4-turbo-preview gpt-4-0125-preview "
        "gpt-4-1106-preview gpt-4-vision-preview gpt-4-1106-vision-preview "
        "gpt-4o-2024-05-13 gpt-4.1-nano gpt-4.1-nano-2025-04-14 "
        "o1 o1-2024-12-17 o3-mini o3-mini-2025-01-31 o4-mini o4-mini-2025-04-16"
    ),
    "2026-12-11": (
        "gpt-5 gpt-5-2025-08-07 gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano "
        "gpt-5-nano-2025-08-07 o3 o3-2025-04-16"
    ),
    "2027-01-14": (
        "gpt-4o gpt-4o-2024-08-06 gpt-4o-2024-11-20 gpt-4o-mini gpt-4o-mini-2024-07-18 "
        "gpt-4.1 gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-mini-2025-04-14"
    ),
    "2027-04-01": "gpt-5.1 gpt-5.1-2025-11-13 gpt-5.4-nano gpt-5.4-nano-2026-03-17",
}
LAST_DAY = {
    model: date.fromisoformat(day) for day, models in _LAST_DAYS.items() for model in models.split()
}


def is_retired(model: str, today: date) -> bool:
    """Return whether OpenAI has switched a model off."""
    return model in LAST_DAY and LAST_DAY[model] <= today


def ends_soon(model: str, today: date) -> date | None:
    """Return the day on which OpenAI switches a model off, if that is near."""
    day = LAST_DAY.get(model)
    return day if day is not None and today < day <= today + SOON else None


def retired(asked: str, answered: str) -> Noticed:
    """Say that another model answers because the one asked for is gone for good."""
    message = f"{asked} is retired; {answered} answers in its place."
    return Noticed("model_retired", message, {"asked": asked, "answered": answered})


def missing(asked: str, answered: str) -> Noticed:
    """Say that another model answers because this server does not have the one asked for."""
    message = f"The model server has no {asked}; {answered} answers in its place."
    return Noticed("model_missing", message, {"asked": asked, "answered": answered})


def replaced(asked: str, answered: str) -> Noticed:
    """Say that the owner of this site has another model asked."""
    message = f"This site asks {answered} in place of {asked}."
    return Noticed("model_replaced", message, {"asked": asked, "answered": answered})


def ending(model: str, day: str) -> Noticed:
    """Say that a model will be gone."""
    message = f"{model} will be switched off on {day}: choose another model before."
    return Noticed("model_shutdown", message, {"model": model, "date": day})
