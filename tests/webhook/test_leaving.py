"""The end of a replica, with clients that keep their connections: no call may be lost."""

import concurrent.futures
import http.client
import threading
import time

from tests.webhook.conftest import certificate
from tests.webhook.reviews import review
from tests.webhook.running import running


def test_calls_are_answered_until_the_end_and_each_connection_is_told() -> None:
    """Told `Connection: close`, a client makes its next call elsewhere instead of on a connection that is ending."""
    with running(certificate()) as webhook:
        client = webhook.http()
        client.request("POST", "/mutate", review())
        answer = client.getresponse()
        assert (answer.status, answer.getheader("connection"), answer.read() != b"") == (200, None, True)
        leaving = webhook.inside(lambda: webhook.loop.create_task(webhook.listener.leave(1.0)))
        for each in (client, webhook.http()):  # one that was open, one that comes after
            each.request("POST", "/mutate", review())
            answer = each.getresponse()
            assert (answer.status, answer.getheader("connection"), answer.read() != b"") == (200, "close", True)
        assert not leaving.done()


def test_clients_that_move_on_when_told_lose_nothing() -> None:
    """Two replicas, eight clients that keep their connections, and one replica leaves in the middle."""
    with running(certificate()) as leaving, running(certificate()) as staying:
        gone, over, lost = threading.Event(), threading.Event(), []

        def call() -> int:
            done, client = 0, leaving.http()
            while not over.is_set():
                try:
                    client.request("POST", "/mutate", review())
                    answer = client.getresponse()
                    answer.read()
                    done += 1
                    if answer.getheader("connection") == "close":
                        client.close()
                        client = staying.http()
                except (OSError, http.client.HTTPException) as error:
                    lost.append(repr(error))
                    client = staying.http()
            return done

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            callers = [threads.submit(call) for _ in range(8)]
            time.sleep(0.3)
            leaving.inside(lambda: leaving.loop.create_task(leaving.listener.leave(0.5)))
            gone.wait(1.2)
            over.set()
            done = sum(caller.result(10) for caller in callers)
        assert lost == []
        assert done > 100
