"""A time that passes only when somebody sleeps."""

from streamlit_assistant.chat.patience import Timing

WALL_OFFSET = 1_795_000_000  # makes the wall clock read November 2026


class FakeTime:
    """Counts every sleep; `monotonic` and `wall` differ, so that mixing them up shows."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def wall(self) -> float:
        return WALL_OFFSET + self.now

    @property
    def timing(self) -> Timing:
        return Timing(monotonic=lambda: self.now, wall=self.wall, sleep=self.sleep)
