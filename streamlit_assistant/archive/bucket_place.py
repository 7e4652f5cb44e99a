"""An archive in a bucket of a store that speaks S3.

Keys come from the environment, as for any other program that uses such stores; the address may say
in which region the bucket is, and which server speaks for it.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

from streamlit_assistant.archive.archive_errors import ArchiveError, NotArchived, PlaceTrouble
from streamlit_assistant.archive.places import (
    BEGINNING,
    FOLDER,
    Found,
    named_thread,
    object_name,
    temporary_file,
)

FORM = "s3://bucket/folder?endpoint=https://host:port&region=name"
PART = 16 << 20  # bytes; larger objects are sent in several parts
PARTS_AT_ONCE = 2
OPTIONS = {"endpoint", "region"}
REFUSALS = (
    *("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    *("403 Forbidden", "401 Unauthorized"),
)
LONGEST_REASON = 200  # characters
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# What is tried again by the library: servers that are busy, connections that break.
PATIENCE = {"max_retries": 6, "retry_timeout": timedelta(seconds=60)}
TIMEOUTS = {"connect_timeout": "10s", "timeout": "120s"}


class BucketPlace:
    """A bucket, or a folder of one."""

    def __init__(
        self, address: str, environ: Mapping[str, str], patience: Mapping[str, Any] = PATIENCE
    ) -> None:
        """Raise `ArchiveError` where the address or the environment lacks something."""
        bucket, prefix, options = _read(address)
        self._name = f"s3://{bucket}/{prefix}".rstrip("/")
        try:
            self._obstore = importlib.import_module("obstore")
            stores = importlib.import_module("obstore.store")
        except ModuleNotFoundError as error:
            raise ArchiveError("Buckets need a library: pip install -e '.[s3]'") from error
        self._errors = self._obstore.exceptions
        endpoint = _endpoint(options, environ)
        self._where = f"{self} at {endpoint}" if endpoint else str(self)
        self._store = stores.S3Store(
            bucket,
            prefix=prefix or None,
            client_options={"allow_http": endpoint.startswith("http://"), **TIMEOUTS},
            retry_config=dict(patience),
            disable_bulk_delete=True,  # which not every store has
            **_config(endpoint, options, environ),
        )

    def __str__(self) -> str:
        return self._name

    def make(self) -> None:
        """Do nothing: buckets are made elsewhere."""

    def ensure_there(self) -> None:
        """Do nothing: the first question will tell."""

    @contextmanager
    def draft(self, thread_id: str) -> Iterator[IO[bytes]]:
        """Give a file of this machine without a name."""
        with temporary_file() as file:
            yield file

    def publish(self, thread_id: str, draft: IO[bytes]) -> None:
        """Send the draft; the object is there once all of it has arrived."""
        draft.seek(0)
        with self._plain(thread_id):
            self._obstore.put(
                self._store,
                object_name(thread_id),
                draft,
                chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )

    def chunks(self, thread_id: str) -> Iterator[bytes]:
        """Yield what an object consists of, as it comes."""
        with self._plain(thread_id):
            for chunk in self._obstore.get(self._store, object_name(thread_id)).stream():
                yield bytes(chunk)

    @contextmanager
    def fetched(self, thread_id: str) -> Iterator[IO[bytes]]:
        """Give a copy of the object on this machine, without a name."""
        with temporary_file() as file:
            for chunk in self.chunks(thread_id):
                file.write(chunk)
            yield file

    def beginning(self, found: Found) -> bytes:
        """Return the first bytes of an object."""
        if not found.size:
            return b""  # of which no part can be asked for
        with self._plain(found.thread_id):
            end = min(BEGINNING, found.size)
            name = object_name(found.thread_id)
            return bytes(self._obstore.get_range(self._store, name, start=0, end=end))

    def found(self) -> Iterator[Found]:
        """Yield the objects in the order of their names."""
        with self._plain():
            for page in self._obstore.list(self._store, f"{FOLDER}/"):
                for item in page:
                    thread_id = named_thread(item["path"])
                    if thread_id is not None:
                        yield Found(thread_id, item["size"])

    def remove(self, thread_id: str) -> None:
        """Remove an object, if it is there."""
        with self._plain(thread_id):
            self._obstore.delete(self._store, object_name(thread_id))

    @contextmanager
    def _plain(self, thread_id: str = "") -> Iterator[None]:
        # The library finds a missing object, as Python calls it, to be a missing file.
        try:
            yield
        except (self._errors.BaseError, OSError) as error:
            text = str(error).partition("\n")[0]
            if "NoSuchBucket" in text:
                raise PlaceTrouble(f"{self}: there is no such bucket.") from error
            if isinstance(error, FileNotFoundError) and thread_id:
                raise NotArchived(f"{self} holds no {thread_id}.") from error
            if any(word in text for word in REFUSALS):
                raise PlaceTrouble(
                    f"{self._where} refuses access; see that {' and '.join(KEYS)} are right, "
                    "and may read and write there."
                ) from error
            reason = text.rpartition(" - ")[2][:LONGEST_REASON]
            raise PlaceTrouble(f"{self._where} cannot be used ({reason}).") from error


def _read(address: str) -> tuple[str, str, dict[str, str]]:
    """Return bucket, folder and options of an address; raise `ArchiveError`."""
    try:
        parts = urlsplit(address)
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError as error:
        raise ArchiveError(f"This is no address of a bucket; accepted: {FORM}") from error
    bucket, prefix = parts.netloc, parts.path.strip("/")
    # A key in an address would be on everybody's screen who looks which programs run.
    if "@" in bucket or ":" in bucket:
        raise ArchiveError(
            f"Keys do not belong into the address; set {' and '.join(KEYS)}. Accepted: {FORM}"
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", bucket) or parts.fragment:
        raise ArchiveError(f"This is no address of a bucket; accepted: {FORM}")
    if unknown := sorted(set(options) - OPTIONS):
        raise ArchiveError(f"Unknown in the address: {', '.join(unknown)}; accepted: {FORM}")
    return bucket, prefix, options


def _endpoint(options: Mapping[str, str], environ: Mapping[str, str]) -> str:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    found = options.get("endpoint") or next(filter(None, map(environ.get, names)), "")
    if found and not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", found):
        raise ArchiveError(
            "The endpoint of a bucket is an address such as https://host:port, without user name."
        )
    return found.rstrip("/")


def _config(
    endpoint: str, options: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    region = options.get("region") or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    config = {"region": region or "us-east-1"}
    if endpoint:
        config["endpoint"] = endpoint
    given = [environ.get(name) for name in KEYS]
    # On Amazon's own machines the library finds out by itself in whose name it asks.
    if (endpoint and not all(given)) or (any(given) and not all(given)):
        raise ArchiveError(f"A bucket needs {' and '.join(KEYS)} in the environment.")
    for name, value in zip(("access_key_id", "secret_access_key"), given, strict=True):
        if value:
            config[name] = value
    if token := environ.get("AWS_SESSION_TOKEN"):
        config["session_token"] = token
    return config
