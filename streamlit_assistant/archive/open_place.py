"""Which place of an archive an address names."""

from collections.abc import Mapping
from pathlib import Path

from streamlit_assistant.archive.archive_errors import ArchiveError
from streamlit_assistant.archive.bucket_place import FORM, BucketPlace
from streamlit_assistant.archive.folder_place import FolderPlace
from streamlit_assistant.archive.places import Place


def place_at(address: str, environ: Mapping[str, str]) -> Place:
    """Return the place at an address; raise `ArchiveError` if it is no address of one."""
    scheme, found, _ = address.partition("://")
    if found and scheme.lower() == "s3":
        return BucketPlace(address, environ)
    if found or not address.strip() or not address.isprintable():
        raise ArchiveError(f"An archive lies in a folder, or in a bucket: {FORM}")
    try:
        return FolderPlace(Path(address).expanduser().absolute())
    except RuntimeError as error:  # ~somebody, who has no home on this machine
        raise ArchiveError(f"{address}: no such user has a home folder here.") from error
