"""An answer that waits in the middle, so that what happens there does not depend on speed."""

import threading

from tests.upstream import Upstream
from tests.upstream_scripts import Answer

FIRST_HALF = [f"a{number} " for number in range(1, 21)]
SECOND_HALF = [f"b{number} " for number in range(1, 21)]
LAST_OF_HALF = FIRST_HALF[-1].strip()
HALF = "".join(FIRST_HALF).strip()
WHOLE = "".join(FIRST_HALF + SECOND_HALF).strip()


def held_answer(upstream: Upstream) -> threading.Event:
    """Script an answer that pauses in the middle; setting the event lets it go on."""
    gate = threading.Event()
    upstream.queue(Answer([*FIRST_HALF, gate, *SECOND_HALF]))
    return gate
