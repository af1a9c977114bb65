"""How many random cases an invariant is tried with."""

import os

from hypothesis import settings

scenarios = settings(max_examples=int(os.environ.get("ROOMSCRIBE_TEST_SCENARIOS", "50")), deadline=None)
"""Without a clock: the machine may be slow."""
