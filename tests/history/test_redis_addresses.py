"""Addresses of Redis: what is taken, what is refused, and that passwords stay out of sight."""

import pytest

from streamlit_assistant.history import RedisHistory
from streamlit_assistant.history.history_errors import BadAddress
from streamlit_assistant.history.redis_address import RedisAddress
from streamlit_assistant.history.redis_log import check_address


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://localhost", "Redis at localhost:6379/0"),
        ("redis://:secret@host:1234/5", "Redis at host:1234/5"),
        ("rediss://user:se%40cret@host/?db=2&ssl_cert_reqs=none", "Redis at host:6379/2"),
        ("redis://[::1]:7000/0", "Redis at ::1:7000/0"),
        ("redis://host?protocol=2&socket_timeout=3&client_name=me", "Redis at host:6379/0"),
    ],
)
def test_an_address_says_where_and_nothing_else(url: str, where: str) -> None:
    address = RedisAddress.of(url)

    assert address.where == where
    assert "cret" not in repr(address)
    RedisHistory("s", url).close()


def test_our_options_are_taken_out_of_the_query() -> None:
    address = RedisAddress.of("redis://h/0?ttl=60&key_prefix=a%3Ab:&index_name=i&patience=2&db=0")

    assert address.options == {"ttl": 60, "key_prefix": "a:b:", "index_name": "i", "patience": 2}
    assert address.url == "redis://h/0?db=0"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://host", "begins with redis"),
        ("redis+sentinel://host", "begins with redis"),
        ("unix:///run/redis.sock", "begins with redis"),
        ("redis://u:secret@host:port/0", "is like"),
        ("redis://u:secret@[host/0", "is like"),
        ("redis://u:sec\u2100ret@host/0", "is like"),
        ("redis://u:1?secret@host/0", "percent-encoded"),
        ("redis://u:1#secret@host/0", "percent-encoded"),
        ("redis://u:secret@host/name", "number of a database"),
        ("redis://u:secret@host/0?tll=3", "unknown option tll.*ttl"),
        ("redis://host/0?password=secret", "unknown option password"),
        ("redis://host/0?decode_responses=0", "unknown option decode_responses"),
        ("redis://u:secret@host/0?ttl=secret", "ttl"),
        ("redis://host/0?ttl=0", "ttl"),
        ("redis://host/0?ttl=nan", "ttl"),
        ("redis://host/0?patience=-1", "patience"),
        ("redis://host/0?key_prefix=%7Bx%7D", "key_prefix"),
        ("redis://u:secret@host/0?socket_timeout=secret", "an option in the address"),
        ("redis://u:secret@host/0?ssl_ca_certs=secret", "an option in the address"),
        ("rediss://u:secret@host/0?ssl_cert_reqs=secret", "an option in the address"),
    ],
)
def test_a_wrong_address_is_refused_without_showing_a_password(url: str, told: str) -> None:
    with pytest.raises(BadAddress, match=told) as caught:
        check_address(url)

    assert "secret" not in str(caught.value)
    assert "ret@" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"ttl": 0}, {"ttl": -1}, {"patience": -1}, {"key_prefix": "a{b"}], ids=str
)
def test_wrong_arguments_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(BadAddress):
        RedisHistory("s", "redis://localhost", **options)  # type: ignore[arg-type]


def test_checking_an_address_connects_to_nothing() -> None:
    check_address("redis://host.invalid:1/0?ttl=3")
