"""The only code that speaks to the API server. Importing it is cheap: `kubernetes` is loaded when a client connects."""

from penstock.kube.errors import ApiError, Conflict, Denied, Gone, Invalid, NotConfigured, NotFound, Unavailable
from penstock.kube.lease import Lease, LeaseLost, hold
from penstock.kube.reflector import Reflector
from penstock.kube.transport import PARTIAL, PARTIAL_LIST, Client

__all__ = [
    "PARTIAL",
    "PARTIAL_LIST",
    "ApiError",
    "Client",
    "Conflict",
    "Denied",
    "Gone",
    "Invalid",
    "Lease",
    "LeaseLost",
    "NotConfigured",
    "NotFound",
    "Reflector",
    "Unavailable",
    "hold",
]
