"""The one error of setting up: something is not on this machine, and the message says what to do about it.

Whoever runs `make setup` must never read a traceback for a missing package or a missing network;
`python -m sandbox.setup` prints exactly this message and nothing else.
"""


class Missing(Exception):
    """Something the sandbox needs is not here and could not be fetched."""
