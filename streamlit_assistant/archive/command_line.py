"""The flags of `start archive`, and what they are said to do."""

import argparse

from streamlit_assistant.archive import ages
from streamlit_assistant.archive.thread_ids import THREAD_ID

DESCRIPTION = """\
Moves threads in which nothing has happened for a while out of the database
into an archive: a folder, or a bucket that speaks S3. Each thread becomes one
object, threads/ID.ndjson.gz: lines of JSON, compressed, with a checksum. It is
read back and compared before the thread leaves the database.

Can be run beside the server, from cron too, as the user whom the server runs
as and with the same settings. It may be ended at any time: each thread is in
the database, in the archive, or in both, and the next run goes on from there."""

EPILOG = """\
examples:
  start archive --older-than 90d --to /var/backups/chats
  start archive --older-than 1y --to s3://bucket/chats
  start archive --list --from /var/backups/chats
  start archive --restore thread_abc123 --from /var/backups/chats

A thread moves with its messages, runs and run steps; whoever asks for it gets
a 404 until it is restored. It comes back as it was, at its place in the list.
Threads stay in the database while a run is active on them, while a mirror
lacks messages of them, and if they are temporary. Files and vector stores stay
where they are, copies in HISTORY_URLS too. What runs streamed is not kept.
A restored thread that nobody goes on with is old still: the next run moves it
out again. An SQLite file does not shrink; its room is used for new threads.

buckets: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, also AWS_SESSION_TOKEN,
AWS_REGION and AWS_ENDPOINT_URL, or s3://bucket/chats?endpoint=URL&region=NAME.

exit codes: 0 done, or nothing to do; 1 it cannot be done, or not all of it;
2 wrong arguments; 130 interrupted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's own flags."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--older-than",
        metavar="AGE",
        type=_age,
        help="move out threads without activity for so long: 12h, 90d, 2w, 1y",
    )
    what.add_argument(
        "--restore", metavar="ID", nargs="+", type=_thread_id, help="bring these threads back"
    )
    what.add_argument(
        "--list", action="store_true", default=False, help="say which threads the archive holds"
    )
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--to", metavar="PLACE", help="folder or s3:// address to move them to")
    place.add_argument("--from", metavar="PLACE", help="folder or s3:// address of the archive")
    parser.add_argument(
        "--dry-run", action="store_true", default=False, help="say what would be done; do nothing"
    )
    parser.add_argument(
        "--remove",
        action="store_true",
        default=False,
        help="with --restore: remove what was restored from the archive",
    )


def _age(given: str) -> int:
    try:
        return ages.seconds(given)
    except ages.WrongAge as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _thread_id(given: str) -> str:
    if not THREAD_ID.fullmatch(given):
        raise argparse.ArgumentTypeError(f"{given!r} is no thread's id, such as thread_abc123")
    return given
