"""Messages to people: what is told, to whom, once, and never at the cost of a rollout."""
