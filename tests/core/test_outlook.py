"""Where a rollout stands, in a few words."""

from penstock.core.outlook import where
from penstock.core.rollout import Phase


def test_after_scaling_down_it_is_at_none_of_the_steps_that_are_gone() -> None:
    """With fewer pods there are fewer steps; `at step 3 of 2` would be nonsense."""
    assert where(Phase.HOLDING, 3, 2) == "at step 2 of 2"
    assert where(Phase.HOLDING, 0, 3) == "at step 1 of 3"
    assert where(Phase.HOLDING, 2, 0) == "at step 2"
