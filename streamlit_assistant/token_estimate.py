"""About how many tokens a text costs, where nobody has counted. Part of the floor."""

BYTES_PER_TOKEN = 4  # of UTF-8: four letters, or one and a third Chinese characters


def estimated(text: str) -> int:
    """Return the tokens of a text, rounded up."""
    return tokens_of(len(text.encode()))


def tokens_of(size: int) -> int:
    """Return the tokens of so many bytes, rounded up."""
    return -(-size // BYTES_PER_TOKEN)
