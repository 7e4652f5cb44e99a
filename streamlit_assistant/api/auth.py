"""Keys: which principal a bearer token belongs to."""

import hashlib
import hmac
from collections.abc import Mapping

from starlette.requests import HTTPConnection

from streamlit_assistant.errors import Unauthenticated

HELP = "Send it as 'Authorization: Bearer KEY'."


def hash_key(key: str) -> str:
    """Return the SHA-256 hex digest under which a key is stored.

    Keys are long and random, so a fast hash without salt gives nothing away.
    """
    return hashlib.sha256(key.encode()).hexdigest()


class KeyRing:
    """The keys of this server. `owners` maps the digest of each to its principal."""

    def __init__(self, owners: Mapping[str, str]) -> None:
        self._owners = dict(owners)

    def principal(self, connection: HTTPConnection) -> str:
        """Return who is asking, or raise `Unauthenticated`."""
        scheme, _, key = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            key = connection.headers.get("api-key", "")  # as the clients for Azure send it
        if not key.strip():
            raise Unauthenticated(f"You didn't provide an API key. {HELP}", code="invalid_api_key")
        owner = self._find(hash_key(key.strip()))
        if owner is None:
            # The key itself is not repeated: it may be a typo of a real one.
            raise Unauthenticated(
                f"Incorrect API key provided. Use a key of this server. {HELP}",
                code="invalid_api_key",
            )
        return owner

    def _find(self, digest: str) -> str | None:
        found = None
        # Every key is compared, in constant time, so that timing says nothing about any.
        for known, owner in self._owners.items():
            if hmac.compare_digest(known, digest):
                found = owner
        return found
