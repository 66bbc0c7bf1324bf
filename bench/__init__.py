"""What Penstock costs, in counts per rollout and per minute of rest. Not a test: nothing here is compared with a limit.

Figures of time depend on the machine and on who else uses it; requests, bytes and CPU seconds depend on them little.
"""
