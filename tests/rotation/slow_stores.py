"""The stores of which the default suite tries one, and the slow suites all."""

from __future__ import annotations

import pytest
from rotation_parts import STORES

ONE_BY_DEFAULT = (STORES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in STORES[1:]))
