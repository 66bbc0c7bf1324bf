"""What every test run has: a count by kind at its end, pytester for the test of that count, and steady examples.

Hypothesis draws the same examples in every run, so that a red run is about the change and not about luck. `make
test-full` draws new ones (PENSTOCK_RANDOM=1).
"""

import os

from hypothesis import settings

pytest_plugins = ["pytester", "tests.kinds"]

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile("random" if os.environ.get("PENSTOCK_RANDOM") else "steady")
