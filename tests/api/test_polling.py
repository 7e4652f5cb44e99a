import pytest

from streamlit_assistant.api.polling import poll_after_ms


@pytest.mark.parametrize(
    ("age", "pause"),
    [(-1, 50), (0, 50), (0.99, 50), (1, 100), (4.2, 420), (10, 1000), (600, 1000), (1e9, 1000)],
)
def test_the_older_the_work_the_longer_the_pause(age: float, pause: int) -> None:
    assert poll_after_ms(age) == pause
