"""How all tests run."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from support.certificates import certificate

# A busy machine makes an example slow, not wrong.
settings.register_profile("nod", deadline=None)
settings.load_profile("nod")


@pytest.fixture(scope="session", autouse=True)
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nobody outside is called. So this process and those that it starts trust one certificate,
    where each client would first read the hundred and forty of the web."""
    with pytest.MonkeyPatch.context() as patch:
        made = certificate(tmp_path_factory.mktemp("trust"), "nobody")
        patch.setenv("SSL_CERT_FILE", str(made.pem))
        yield
