"""The webhook's own certification authority: made, published, trusted, replaced, without a call lost.

`keep` is run by whoever looks after the certificates, `Serving` by the webhook, which only reads them.
"""

from certs.custody import keep
from certs.reload import Serving

__all__ = ["Serving", "keep"]
