from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from example_helpers import EXAMPLES, PASSWORD, running, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, str]]:
    """A sandbox's settings; the users of the provisioning example exist."""
    with sandbox_process() as settings:
        with running(str(EXAMPLES / "provision.py"), env=settings) as process:
            output, _ = process.communicate()
        assert process.returncode == 0, output
        yield {**settings, "DEMO_PASSWORD": PASSWORD}
