"""Which files may be put into a vector store: the owner's, of a kind that may hold text."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamlit_assistant.errors import InvalidRequest, NotFound
from streamlit_assistant.store.file_tables import files

_IMAGES = "avif bmp gif heic heif ico jpeg jpg png psd tif tiff webp"
_AUDIO = "aac aif aiff flac m4a mid midi mp3 oga ogg opus wav wma"
_VIDEO = "avi flv m4v mkv mov mp4 mpeg mpg webm wmv"
_ARCHIVES = "7z bz2 dmg gz iso jar rar tar tgz xz zip zst"
_PROGRAMS = "a apk bin class dll dylib exe msi o pyc so wasm"
TEXTLESS = frozenset(" ".join((_IMAGES, _AUDIO, _VIDEO, _ARCHIVES, _PROGRAMS)).split())
_SUPPORTED = "https://platform.openai.com/docs/assistants/tools/file-search/supported-files"


async def check_files(
    connection: AsyncConnection, owner: str, file_ids: Sequence[str], now: float
) -> dict[str, str]:
    """Return the files' names by id; raise `NotFound` for the first that the owner lacks.

    Nobody can delete them until the transaction ends.
    """
    lives = or_(files.c.expires_at.is_(None), files.c.expires_at > now)
    query = select(files.c.id, files.c.filename).where(
        files.c.owner == owner, files.c.id.in_(file_ids), lives
    )
    kept = query.order_by(files.c.seq).with_for_update(read=True, key_share=True)
    names = {file_id: filename for file_id, filename in await connection.execute(kept)}
    for file_id in file_ids:
        if file_id not in names:
            raise NotFound(f"No such File object: {file_id}", param="id")
    return names


async def check_searchable(
    connection: AsyncConnection, owner: str, file_ids: Sequence[str], now: float
) -> None:
    """Raise as `check_files`, and `InvalidRequest` for files which cannot hold text."""
    names = await check_files(connection, owner, file_ids, now)
    refused = sorted({kind for name in names.values() if (kind := _extension(name)) in TEXTLESS})
    if refused:
        shown = ", ".join(f".{kind}" for kind in refused)
        raise InvalidRequest(
            f"Files with extensions [{shown}] are not supported for retrieval. See {_SUPPORTED}",
            param="file_ids",
            code="unsupported_file",
        )


def _extension(filename: str) -> str:
    _, dot, extension = filename.rpartition(".")
    return extension.lower() if dot else ""
