"""Every operation as a program with OpenAI's Python client calls it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import openai

from tests.conformance.world import ASSISTANT, TEXT, WEATHER, World

Call = Callable[[openai.OpenAI, World], object]


def get_run_step(client: openai.OpenAI, world: World) -> object:
    run = world.waiting_run()
    [step] = world.client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data
    return client.beta.threads.runs.steps.retrieve(step.id, thread_id=run.thread_id, run_id=run.id)


def list_run_steps(client: openai.OpenAI, world: World) -> object:
    run = world.ended_run()
    return client.beta.threads.runs.steps.list(
        run.id,
        thread_id=run.thread_id,
        include=["step_details.tool_calls[*].file_search.results[*].content"],
    )


def submit_tool_outputs(client: openai.OpenAI, world: World) -> object:
    run = world.waiting_run()
    return client.beta.threads.runs.submit_tool_outputs(
        run.id, thread_id=run.thread_id, tool_outputs=world.outputs(run)
    )


def cancel_run(client: openai.OpenAI, world: World) -> object:
    run = world.waiting_run()
    return client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)


def get_run(client: openai.OpenAI, world: World) -> object:
    run = world.ended_run()
    return client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def modify_run(client: openai.OpenAI, world: World) -> object:
    run = world.ended_run()
    return client.beta.threads.runs.update(run.id, thread_id=run.thread_id, metadata={"k": "v"})


def get_message(client: openai.OpenAI, world: World) -> object:
    message = world.message()
    return client.beta.threads.messages.retrieve(message.id, thread_id=message.thread_id)


def modify_message(client: openai.OpenAI, world: World) -> object:
    message = world.message()
    return client.beta.threads.messages.update(
        message.id, thread_id=message.thread_id, metadata={"k": "v"}
    )


def delete_message(client: openai.OpenAI, world: World) -> object:
    message = world.message()
    return client.beta.threads.messages.delete(message.id, thread_id=message.thread_id)


def complete_upload(client: openai.OpenAI, world: World) -> object:
    upload_id = world.upload()
    return client.uploads.complete(upload_id, part_ids=[world.part(upload_id)])


def delete_model(client: openai.OpenAI, _world: World) -> object:
    try:
        return client.models.delete("scripted")
    except openai.PermissionDeniedError as refused:
        return refused


def get_batch(client: openai.OpenAI, world: World) -> object:
    store_id, batch_id = world.batch()
    return client.vector_stores.file_batches.retrieve(batch_id, vector_store_id=store_id)


def cancel_batch(client: openai.OpenAI, world: World) -> object:
    store_id, batch_id = world.batch()
    return client.vector_stores.file_batches.cancel(batch_id, vector_store_id=store_id)


def list_batch_files(client: openai.OpenAI, world: World) -> object:
    store_id, batch_id = world.batch()
    return client.vector_stores.file_batches.list_files(batch_id, vector_store_id=store_id)


def get_store_file(client: openai.OpenAI, world: World) -> object:
    store_id, file_id = world.file_in_store()
    return client.vector_stores.files.retrieve(file_id, vector_store_id=store_id)


def modify_store_file(client: openai.OpenAI, world: World) -> object:
    store_id, file_id = world.file_in_store()
    return client.vector_stores.files.update(
        file_id, vector_store_id=store_id, attributes={"year": 2024, "kind": "note", "new": True}
    )


def delete_store_file(client: openai.OpenAI, world: World) -> object:
    store_id, file_id = world.file_in_store()
    return client.vector_stores.files.delete(file_id, vector_store_id=store_id)


def get_store_file_content(client: openai.OpenAI, world: World) -> object:
    store_id, file_id = world.file_in_store()
    return client.vector_stores.files.content(file_id, vector_store_id=store_id)


CALLS: Mapping[str, Call] = MappingProxyType(
    {
        "listAssistants": lambda c, _: c.beta.assistants.list(limit=1),
        "createAssistant": lambda c, _: c.beta.assistants.create(model="m", tools=[WEATHER]),
        "getAssistant": lambda c, _: c.beta.assistants.retrieve(ASSISTANT),
        "modifyAssistant": lambda c, w: c.beta.assistants.update(w.assistant().id, name="New"),
        "deleteAssistant": lambda c, w: c.beta.assistants.delete(w.assistant().id),
        "createThread": lambda c, _: c.beta.threads.create(
            messages=[{"role": "user", "content": "hi"}], metadata={"k": "v"}
        ),
        "getThread": lambda c, w: c.beta.threads.retrieve(w.thread().id),
        "modifyThread": lambda c, w: c.beta.threads.update(w.thread().id, metadata={"k": "v"}),
        "deleteThread": lambda c, w: c.beta.threads.delete(w.thread().id),
        "listMessages": lambda c, w: c.beta.threads.messages.list(w.thread("one", "two").id),
        "createMessage": lambda c, w: c.beta.threads.messages.create(
            w.thread().id, role="user", content=[{"type": "text", "text": "hi"}]
        ),
        "getMessage": get_message,
        "modifyMessage": modify_message,
        "deleteMessage": delete_message,
        "createThreadAndRun": lambda c, _: c.beta.threads.create_and_run(
            assistant_id=ASSISTANT, thread={"messages": [{"role": "user", "content": "hi"}]}
        ),
        "listRuns": lambda c, w: c.beta.threads.runs.list(w.ended_run().thread_id),
        "createRun": lambda c, w: c.beta.threads.runs.create(
            w.thread("hi").id, assistant_id=ASSISTANT
        ),
        "getRun": get_run,
        "modifyRun": modify_run,
        "cancelRun": cancel_run,
        "submitToolOuputsToRun": submit_tool_outputs,
        "listRunSteps": list_run_steps,
        "getRunStep": get_run_step,
        "listModels": lambda c, _: c.models.list(),
        "retrieveModel": lambda c, _: c.models.retrieve("scripted"),
        "deleteModel": delete_model,
        "listFiles": lambda c, w: (w.file(), c.files.list(purpose="assistants")),
        "createFile": lambda c, _: c.files.create(file=("a.txt", TEXT), purpose="assistants"),
        "retrieveFile": lambda c, w: c.files.retrieve(w.file()),
        "deleteFile": lambda c, w: c.files.delete(w.file()),
        "downloadFile": lambda c, w: c.files.content(w.file()),
        "createUpload": lambda c, _: c.uploads.create(
            bytes=len(TEXT), filename="a.txt", mime_type="text/plain", purpose="assistants"
        ),
        "addUploadPart": lambda c, w: c.uploads.parts.create(w.upload(), data=TEXT),
        "completeUpload": complete_upload,
        "cancelUpload": lambda c, w: c.uploads.cancel(w.upload()),
        "listVectorStores": lambda c, w: (w.vector_store(), c.vector_stores.list()),
        "createVectorStore": lambda c, w: c.vector_stores.create(
            name="Notes", file_ids=[w.file()], expires_after={"anchor": "last_active_at", "days": 7}
        ),
        "getVectorStore": lambda c, w: c.vector_stores.retrieve(w.vector_store()),
        "modifyVectorStore": lambda c, w: c.vector_stores.update(w.vector_store(), name="New"),
        "deleteVectorStore": lambda c, w: c.vector_stores.delete(w.vector_store()),
        "searchVectorStore": lambda c, w: c.vector_stores.search(
            w.file_in_store()[0], query="When is the harvest moon festival?"
        ),
        "listVectorStoreFiles": lambda c, w: c.vector_stores.files.list(w.file_in_store()[0]),
        "createVectorStoreFile": lambda c, w: c.vector_stores.files.create(
            w.vector_store(),
            file_id=w.file(),
            chunking_strategy={
                "type": "static",
                "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50},
            },
        ),
        "getVectorStoreFile": get_store_file,
        "updateVectorStoreFileAttributes": modify_store_file,
        "deleteVectorStoreFile": delete_store_file,
        "retrieveVectorStoreFileContent": get_store_file_content,
        "createVectorStoreFileBatch": lambda c, w: c.vector_stores.file_batches.create(
            w.vector_store(), file_ids=[w.file(), w.file("b.md")]
        ),
        "getVectorStoreFileBatch": get_batch,
        "cancelVectorStoreFileBatch": cancel_batch,
        "listFilesInVectorStoreBatch": list_batch_files,
    }
)
