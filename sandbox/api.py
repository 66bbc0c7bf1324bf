"""A few plain requests to the sandbox's API server, as its administrator.

Not the client that Penstock itself uses: the sandbox must be able to say "the API server is not up yet"
hundreds of times within two seconds, before anything a real client discovers is there.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sandbox.directory import Directory
from sandbox.pki import Pair, ca_file

Object = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the API server said; status 0 when nothing answered."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether the request did what it says."""
        return 200 <= self.status < 300

    @property
    def object(self) -> Object:
        """The answer as an object; a refusal is an object of kind Status."""
        decoded: Object = json.loads(self.text) if self.text.startswith("{") else {}
        return decoded

    @property
    def message(self) -> str:
        """The API server's own words."""
        return str(self.object.get("message", self.text))


class Api:
    """The administrator's requests; http.client knows no proxies, which is right for loopback."""

    def __init__(self, directory: Directory, port: int) -> None:
        admin = Pair(directory.pki / "admin.crt", directory.pki / "admin.key")
        self.port = port
        self.tls = ssl.create_default_context(cafile=str(ca_file(directory.pki)))
        self.tls.load_cert_chain(admin.certificate, admin.key)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        content: str = "application/json",
        timeout: float = 10.0,
        parameters: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; whatever keeps it from being answered gives status 0 and the reason."""
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        headers = {"Accept": "application/json"} | ({"Content-Type": content} if body is not None else {})
        data = None if body is None else json.dumps(body)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=timeout)
        try:
            connection.request(method, target, data, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(errors="replace"))
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, str(error))
        finally:
            connection.close()

    def get(self, path: str, **parameters: str) -> Answer:
        """Read an object or a list."""
        return self.ask("GET", path, parameters=parameters)

    def create(self, path: str, body: Mapping[str, Any], **parameters: str) -> Answer:
        """Create BODY; that it is there already (409) is not an error."""
        answer = self.ask("POST", path, body, parameters=parameters)
        return Answer(200, answer.text) if answer.status == 409 else answer

    def merge(self, path: str, body: Mapping[str, Any], **parameters: str) -> Answer:
        """A merge patch."""
        return self.ask("PATCH", path, body, "application/merge-patch+json", parameters=parameters)

    def ready(self) -> bool:
        """Whether the API server says that it serves."""
        return self.ask("GET", "/readyz", timeout=2.0).ok


def healthy(port: int, path: str = "/healthz", tls: ssl.SSLContext | None = None) -> bool:
    """Whether a component on 127.0.0.1 says that it works."""
    try:
        if tls is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
        else:
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2.0, context=tls)
        with closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
