"""What a run says of how its answer came about, beyond what the protocol has a place for."""

from collections.abc import Sequence
from dataclasses import replace

from streamlit_assistant import responses
from streamlit_assistant.providers.base import Noticed
from streamlit_assistant.records import Run

WAITING = "waiting"  # holds only until there is an answer
LOST = "file_lost"
MOST_NOTICES = 16


def with_notices(run: Run, *news: Noticed) -> Run:
    """Return the run with notices; one that says the same of other things replaces the former."""
    notices = list(run.notices)
    for noticed in news:
        said = responses.notice(noticed.code, noticed.message, noticed.details)
        replaced = noticed.code if noticed.code == WAITING else None
        notices = [each for each in notices if each != said and each["code"] != replaced]
        notices.append(said)
    return replace(run, notices=notices[-MOST_NOTICES:])


def without_waiting(run: Run) -> Run:
    """Return the run without what was to be known only until there was an answer."""
    if all(each["code"] != WAITING for each in run.notices):
        return run
    return replace(run, notices=[each for each in run.notices if each["code"] != WAITING])


def lost_files(run: Run, names: Sequence[str]) -> Run:
    """Return the run saying which files could not be copied."""
    lost = [
        Noticed(LOST, f"The file {name} was made, but could not be fetched.", {"name": name})
        for name in names
    ]
    return with_notices(run, *lost) if lost else run
