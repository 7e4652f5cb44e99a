from datetime import date

import pytest

from streamlit_assistant.providers.model_aliases import ends_soon, is_retired

NOVEMBER = date(2026, 11, 21)


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-4", "gpt-4-0613", "gpt-4-turbo", "gpt-4-turbo-preview", "gpt-4-1106-preview"),
        *("gpt-3.5-turbo", "gpt-3.5-turbo-16k", "gpt-3.5-turbo-0125"),
        *("o1", "o1-preview", "o1-mini", "o3-mini", "o4-mini"),
        *("gpt-4.1-nano", "gpt-4o-2024-05-13", "chatgpt-4o-latest"),
    ],
)
def test_models_of_former_years_are_gone(model: str) -> None:
    assert is_retired(model, NOVEMBER)
    assert ends_soon(model, NOVEMBER) is None


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-5.4", "llama3.2", "gpt-4-mine", ""])
def test_models_of_today_are_not(model: str) -> None:
    assert not is_retired(model, NOVEMBER)
    assert ends_soon(model, NOVEMBER) is None


@pytest.mark.parametrize(
    ("model", "day"), [("gpt-5", "2026-12-11"), ("o3", "2026-12-11"), ("gpt-4o", "2027-01-14")]
)
def test_what_ends_within_two_months_is_told(model: str, day: str) -> None:
    assert not is_retired(model, NOVEMBER)
    assert ends_soon(model, NOVEMBER) == date.fromisoformat(day)


def test_what_ends_later_is_not_told_yet_and_one_day_it_is_gone() -> None:
    assert ends_soon("gpt-5.1", NOVEMBER) is None
    assert ends_soon("gpt-5.1", date(2027, 3, 1)) == date(2027, 4, 1)
    assert is_retired("gpt-5.1", date(2027, 4, 1))
