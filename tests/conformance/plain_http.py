"""Every operation as a program without any client calls it: method, path and body on the wire."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tests.conformance.world import ASSISTANT, TEXT, WEATHER, World

HELLO = {"role": "user", "content": "hi"}


@dataclass(frozen=True)
class Wire:
    """A request: what httpx is given, beside the method and path."""

    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)
    status: int = 200


def get(path: str, **query: Any) -> Wire:
    return Wire("GET", path, {"params": query})


def post(path: str, **body: Any) -> Wire:
    return Wire("POST", path, {"json": body})


def delete(path: str, status: int = 200) -> Wire:
    return Wire("DELETE", path, status=status)


def send(path: str, name: str, **form: str) -> Wire:
    return Wire("POST", path, {"files": {name: ("a.txt", TEXT)}, "data": form})


def message(world: World) -> str:
    made = world.message()
    return f"/threads/{made.thread_id}/messages/{made.id}"


def ended_run(world: World) -> str:
    run = world.ended_run()
    return f"/threads/{run.thread_id}/runs/{run.id}"


def waiting_run(world: World) -> str:
    run = world.waiting_run()
    return f"/threads/{run.thread_id}/runs/{run.id}"


def outputs(world: World) -> Wire:
    run = world.waiting_run()
    path = f"/threads/{run.thread_id}/runs/{run.id}/submit_tool_outputs"
    return post(path, tool_outputs=world.outputs(run))


def step(world: World) -> Wire:
    run = world.ended_run()
    [step] = world.client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    return get(f"/threads/{run.thread_id}/runs/{run.id}/steps/{step.id}")


def complete(world: World) -> Wire:
    upload_id = world.upload()
    return post(f"/uploads/{upload_id}/complete", part_ids=[world.part(upload_id)])


def store_file(world: World) -> str:
    store_id, file_id = world.file_in_store()
    return f"/vector_stores/{store_id}/files/{file_id}"


def batch(world: World) -> str:
    store_id, batch_id = world.batch()
    return f"/vector_stores/{store_id}/file_batches/{batch_id}"


REQUESTS: Mapping[str, Callable[[World], Wire]] = MappingProxyType(
    {
        "listAssistants": lambda _: get("/assistants", limit=1, order="asc"),
        "createAssistant": lambda _: post("/assistants", model="m", tools=[WEATHER]),
        "getAssistant": lambda _: get(f"/assistants/{ASSISTANT}"),
        "modifyAssistant": lambda w: post(f"/assistants/{w.assistant().id}", name=None, top_p=0.5),
        "deleteAssistant": lambda w: delete(f"/assistants/{w.assistant().id}"),
        "createThread": lambda _: Wire("POST", "/threads"),
        "getThread": lambda w: get(f"/threads/{w.thread().id}"),
        "modifyThread": lambda w: post(f"/threads/{w.thread().id}", metadata={"k": "v"}),
        "deleteThread": lambda w: delete(f"/threads/{w.thread().id}"),
        "listMessages": lambda w: get(f"/threads/{w.thread('one', 'two').id}/messages", limit=1),
        "createMessage": lambda w: post(f"/threads/{w.thread().id}/messages", **HELLO),
        "getMessage": lambda w: get(message(w)),
        "modifyMessage": lambda w: post(message(w), metadata={"k": "v"}),
        "deleteMessage": lambda w: delete(message(w)),
        "createThreadAndRun": lambda _: post(
            "/threads/runs", assistant_id=ASSISTANT, stream=True, thread={"messages": [HELLO]}
        ),
        "listRuns": lambda w: get(f"/threads/{w.ended_run().thread_id}/runs"),
        "createRun": lambda w: post(
            f"/threads/{w.thread('hi').id}/runs", assistant_id=ASSISTANT, stream=True
        ),
        "getRun": lambda w: get(ended_run(w)),
        "modifyRun": lambda w: post(ended_run(w), metadata={"k": "v"}),
        "cancelRun": lambda w: Wire("POST", f"{waiting_run(w)}/cancel"),
        "submitToolOuputsToRun": outputs,
        "listRunSteps": lambda w: get(f"{waiting_run(w)}/steps"),
        "getRunStep": step,
        "listModels": lambda _: get("/models"),
        "retrieveModel": lambda _: get("/models/scripted"),
        "deleteModel": lambda _: delete("/models/scripted", status=403),
        "listFiles": lambda w: get("/files", limit=1, after=w.file()),
        "createFile": lambda _: send("/files", "file", purpose="user_data"),
        "retrieveFile": lambda w: get(f"/files/{w.file()}"),
        "deleteFile": lambda w: delete(f"/files/{w.file()}"),
        "downloadFile": lambda w: get(f"/files/{w.file()}/content"),
        "createUpload": lambda _: post(
            "/uploads",
            bytes=len(TEXT),
            filename="a.txt",
            mime_type="text/plain",
            purpose="assistants",
        ),
        "addUploadPart": lambda w: send(f"/uploads/{w.upload()}/parts", "data"),
        "completeUpload": complete,
        "cancelUpload": lambda w: Wire("POST", f"/uploads/{w.upload()}/cancel"),
        "listVectorStores": lambda w: get("/vector_stores", after=w.vector_store()),
        "createVectorStore": lambda w: post("/vector_stores", file_ids=[w.file()]),
        "getVectorStore": lambda w: get(f"/vector_stores/{w.vector_store()}"),
        "modifyVectorStore": lambda w: post(
            f"/vector_stores/{w.vector_store()}", metadata={"k": "v"}, expires_after=None
        ),
        "deleteVectorStore": lambda w: delete(f"/vector_stores/{w.vector_store()}"),
        "searchVectorStore": lambda w: post(
            f"/vector_stores/{w.file_in_store()[0]}/search", query=["festival", "harvest moon"]
        ),
        "listVectorStoreFiles": lambda w: get(
            f"/vector_stores/{w.file_in_store()[0]}/files", filter="completed"
        ),
        "createVectorStoreFile": lambda w: post(
            f"/vector_stores/{w.vector_store()}/files", file_id=w.file(), attributes={"year": 2024}
        ),
        "getVectorStoreFile": lambda w: get(store_file(w)),
        "updateVectorStoreFileAttributes": lambda w: post(store_file(w), attributes={"new": True}),
        "deleteVectorStoreFile": lambda w: delete(store_file(w)),
        "retrieveVectorStoreFileContent": lambda w: get(f"{store_file(w)}/content"),
        "createVectorStoreFileBatch": lambda w: post(
            f"/vector_stores/{w.vector_store()}/file_batches",
            files=[{"file_id": w.file(), "attributes": {"year": 2024}}, {"file_id": w.file()}],
        ),
        "getVectorStoreFileBatch": lambda w: get(batch(w)),
        "cancelVectorStoreFileBatch": lambda w: Wire("POST", f"{batch(w)}/cancel"),
        "listFilesInVectorStoreBatch": lambda w: get(f"{batch(w)}/files", limit=1),
    }
)
