"""Ages: strict, and refused in words that say what is accepted."""

import pytest

from streamlit_assistant.archive import ages


@pytest.mark.parametrize(
    ("given", "expected"),
    [("30s", 30), ("12h", 43_200), ("90d", 7_776_000), ("2w", 1_209_600), ("1y", 31_536_000)],
)
def test_ages_are_a_number_and_a_unit(given: str, expected: int) -> None:
    assert ages.seconds(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "90",
        "d",
        "0d",
        "-1d",
        "1.5d",
        "1 d",
        " 1d",
        "1d ",
        "1D",
        "1m",
        "1d12h",
        "d1",
        "٣d",
        "01d",
    ],
)
def test_anything_else_is_refused(given: str) -> None:
    with pytest.raises(ages.WrongAge, match=r"accepted: a whole number and a unit, such as 12h"):
        ages.seconds(given)


@pytest.mark.parametrize("given", ["101y", "9999999999d", "99999999999999999999s"])
def test_more_than_a_lifetime_is_refused(given: str) -> None:
    with pytest.raises(ages.WrongAge):
        ages.seconds(given)
