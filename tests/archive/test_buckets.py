"""Archives in a bucket: a real server that checks signatures, and one that is away."""

import importlib
import random
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from streamlit_assistant.archive.archive_errors import ArchiveError, NotArchived, PlaceTrouble
from streamlit_assistant.archive.bucket_place import BucketPlace
from streamlit_assistant.archive.places import Found
from tests.archive.archived_site import ArchivedSite
from tests.archive.s3_server import KEY, KEY_ID, S3Server
from tests.start_process import free_port

KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY}
SHORT = {"max_retries": 1, "retry_timeout": timedelta(seconds=2)}


@pytest.fixture
def bucket_site(site: ArchivedSite, s3: S3Server, bucket: str) -> ArchivedSite:
    site.place = f"s3://{bucket}/the/chats"
    site.environ = s3.environ
    return site


@pytest.fixture
def place(s3: S3Server, bucket: str) -> BucketPlace:
    return BucketPlace(f"s3://{bucket}", s3.environ)


def put(place: BucketPlace, thread_id: str, data: bytes) -> None:
    with place.draft(thread_id) as draft:
        draft.write(data)
        place.publish(thread_id, draft)


async def test_threads_move_to_a_bucket_and_back(bucket_site: ArchivedSite) -> None:
    site = bucket_site
    names = [site.fill(name) for name in ("a", "b", "c")]
    before = site.rows()

    moved = await site.move()
    assert (moved.code, moved.complaints, site.threads()) == (0, "", set())
    assert f"to {site.place}" in moved.out
    listed = await site.listed()
    assert [line.split()[0] for line in listed.out.splitlines()[:3]] == names
    restored = await site.restore(*names, remove=True)

    assert (restored.code, restored.complaints) == (0, "")
    assert site.rows() == before
    assert (await site.listed()).out == f"0 threads in {site.place}.\n"


async def test_the_address_may_name_the_server(
    bucket_site: ArchivedSite, s3: S3Server, bucket: str
) -> None:
    site = bucket_site
    name = site.fill("a")
    site.environ = {**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    site.place = f"s3://{bucket}?endpoint={s3.endpoint}&region=eu-west-1"

    assert (await site.move()).code == 0
    assert (await site.restore(name)).code == 0


def test_large_objects_go_in_parts(place: BucketPlace) -> None:
    data = random.Random(1).randbytes(40 << 20)
    put(place, "thread_a", data)

    assert b"".join(place.chunks("thread_a")) == data
    with place.fetched("thread_a") as file:
        file.seek(0)
        assert file.read() == data


def test_small_objects_have_a_beginning_too(place: BucketPlace) -> None:
    put(place, "thread_a", b"small")
    put(place, "thread_b", b"")

    assert [*place.found()] == [Found("thread_a", 5), Found("thread_b", 0)]
    assert [place.beginning(found) for found in place.found()] == [b"small", b""]


def test_others_objects_are_not_taken_for_threads(
    place: BucketPlace, s3: S3Server, bucket: str
) -> None:
    store = place._store
    for name in ("threads/notes.txt", "threads/other.ndjson.gz", "thread_b.ndjson.gz"):
        importlib.import_module("obstore").put(store, name, b"x")
    put(place, "thread_a", b"small")

    assert [found.thread_id for found in place.found()] == ["thread_a"]


def test_what_is_not_there_is_named(place: BucketPlace) -> None:
    with pytest.raises(NotArchived, match="holds no thread_a"):
        [*place.chunks("thread_a")]
    place.remove("thread_a")


async def test_a_damaged_object_is_refused(
    bucket_site: ArchivedSite, place: BucketPlace, bucket: str
) -> None:
    site = bucket_site
    site.place = f"s3://{bucket}"
    name = site.fill("a")
    await site.move()
    put(place, name, b"".join(place.chunks(name))[:-20])

    refused = await site.restore(name)

    assert (refused.code, site.threads()) == (1, set())
    assert refused.complaints.startswith(f"What {site.place} holds of {name} cannot be restored")


@pytest.mark.parametrize(
    ("keys", "bucket_name", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, None, "refuses access"),
        ({"AWS_ACCESS_KEY_ID": "wrong-id"}, None, "refuses access"),
        ({}, "no-such-bucket", "there is no such bucket"),
    ],
)
async def test_what_the_store_refuses_is_said_without_keys(
    bucket_site: ArchivedSite, keys: dict[str, str], bucket_name: str | None, words: str
) -> None:
    site = bucket_site
    site.fill("a")
    site.environ = {**site.environ, **keys}
    if bucket_name:
        site.place = f"s3://{bucket_name}/chats"

    for said in (await site.move(), await site.listed(), await site.restore("thread_a")):
        assert said.code == 1
        assert words in said.complaints
        assert "Debug" not in said.complaints
        assert not any(key in said.complaints for key in (KEY, KEY_ID, *keys.values()))
    assert site.threads() == {"thread_a"}


def test_a_store_that_is_away_is_named(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    place = BucketPlace(f"s3://chats/old?endpoint={endpoint}", KEYS, SHORT)

    with pytest.raises(PlaceTrouble) as raised:
        put(place, "thread_a", b"small")
    with pytest.raises(PlaceTrouble):
        [*place.found()]

    assert f"s3://chats/old at {endpoint} cannot be used (HTTP error" in str(raised.value)
    assert KEY not in str(raised.value)


async def test_a_store_that_goes_away_loses_nothing(
    bucket_site: ArchivedSite, s3: S3Server
) -> None:
    site = bucket_site
    for number in range(3):
        site.fill(f"a{number}")
    before = site.rows()
    s3.stop()
    try:
        place = BucketPlace(site.place, site.environ, SHORT)
        with pytest.raises(PlaceTrouble):
            put(place, "thread_a0", b"small")
    finally:
        s3.start()

    assert site.rows() == before
    assert (await site.move()).code == 0
    assert site.threads() == set()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://", "no address of a bucket"),
        ("s3:///chats", "no address of a bucket"),
        ("s3://b!/chats", "no address of a bucket"),
        ("s3://chats?regoin=eu", "Unknown in the address: regoin"),
        ("s3://chats?endpoint", "no address of a bucket"),
        ("s3://chats?endpoint=127.0.0.1:9000", "The endpoint of a bucket is an address"),
        ("s3://chats?endpoint=http://a:hunter2@host", "The endpoint of a bucket is an address"),
        ("s3://id:hunter2@chats/old", "Keys do not belong into the address"),
    ],
)
def test_wrong_addresses_are_refused_in_plain_words(address: str, words: str) -> None:
    with pytest.raises(ArchiveError, match=words) as raised:
        BucketPlace(address, KEYS)

    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("environ", [{}, {"AWS_ACCESS_KEY_ID": "id"}])
def test_without_keys_it_says_which_are_missing(environ: dict[str, str]) -> None:
    with pytest.raises(ArchiveError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        BucketPlace("s3://chats?endpoint=http://127.0.0.1:1", environ)


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)

    with pytest.raises(ArchiveError, match=r"pip install -e '\.\[s3\]'"):
        BucketPlace("s3://chats", KEYS)
