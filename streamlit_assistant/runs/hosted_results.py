"""What a model server's own tools brought, as the protocol shows it."""

from collections.abc import Sequence

from streamlit_assistant.providers.base import Annotated, CallResult, ProducedFile
from streamlit_assistant.records import JSON
from streamlit_assistant.runs.produced_files import ProducedFiles
from streamlit_assistant.tools.file_search import DEFAULT_RANKER

FILE_CITATION, FILE_PATH = "file_citation", "file_path"


def kind_of(said: Annotated) -> str:
    """Return the type of the annotation."""
    return FILE_CITATION if said.file is None else FILE_PATH


async def annotation_of(said: Annotated, files: ProducedFiles) -> JSON | None:
    """Return the annotation; None where the file it points at is not to be had."""
    place: JSON = {"text": said.text, "start_index": said.start, "end_index": said.end}
    if said.file is not None:
        file_id = await files.keep(said.file)
        if file_id is None:
            return None
        return {"type": FILE_PATH, **place, FILE_PATH: {"file_id": file_id}}
    citation = {"file_id": said.file_id or ""}
    return {"type": FILE_CITATION, **place, FILE_CITATION: citation}


async def outputs_of(result: CallResult, files: ProducedFiles) -> list[JSON]:
    """Return the outputs as `CallFold.finish` takes them."""
    found = [output for output in result.outputs if isinstance(output, dict)]
    if found:
        return [_search(found)]
    made = [await _output(output, files) for output in result.outputs if output]
    return [output for output in made if output is not None]


async def _output(output: str | JSON | ProducedFile, files: ProducedFiles) -> JSON | None:
    if isinstance(output, ProducedFile):
        file_id = await files.keep(output)
        return None if file_id is None else {"type": "image", "image": {"file_id": file_id}}
    return {"type": "logs", "logs": output}


def _search(found: Sequence[JSON]) -> JSON:
    results = [
        {
            "file_id": each["file_id"],
            "file_name": each["file_name"],
            "score": each["score"],
            "content": [{"type": "text", "text": each["text"]}],
        }
        for each in found
    ]
    return {
        "ranking_options": {"ranker": DEFAULT_RANKER, "score_threshold": 0.0},
        "results": results,
    }
