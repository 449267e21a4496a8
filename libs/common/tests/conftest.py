from collections.abc import Iterator

import pytest

from libs.common.tests import lines as log
from libs.common.tests.identity.issuer import Issuer


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def lines() -> Iterator[log.Lines]:
    """What was written to the log since it was asked last, as a service writes it."""
    with log.read_since() as read:
        yield read
