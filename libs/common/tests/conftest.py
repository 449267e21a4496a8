import pytest

from libs.common.tests.identity.issuer import Issuer


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()
