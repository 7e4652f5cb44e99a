"""Every quirk and every failure of model servers, through the whole product."""

import pytest

pytest.register_assert_rewrite("tests.upstreams.matrix", "tests.upstreams.page_words")
