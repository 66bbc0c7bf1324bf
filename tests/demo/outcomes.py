"""One outcome of each release as it should be: what the expectations and the tables are tested with."""

from dataclasses import replace

from sandbox.demo.account import Requests
from sandbox.demo.expectations import Interruption, Outcome
from sandbox.demo.measure import Measured
from sandbox.demo.releases import RELEASES
from sandbox.demo.timer import Spell

GOOD, ERRORS, SLOW, CRASH, INTERRUPTED = RELEASES

STEPPED = Measured(
    steps=(1, 3, 5, 10),
    exposure=((1, 1), (3, 3), (5, 5), (10, 10)),
    fewest_ready=8,
    most_pods=13,
    crashes=0,
    exposed=105.0,
    decided=180.0,
)
STOPPED = Measured(
    steps=(1,), exposure=((1, 1),), fewest_ready=10, most_pods=11, crashes=0, exposed=105.0, decided=120.5
)
DEATH = Interruption(open=True, step=3, sizes=frozenset({3}), renewed=False, seconds=10.1)

good = Outcome(GOOD, STEPPED, 90.0, Requests(7200, {}), spell=Spell(75.0, 1500, 1700, 0))
errors = Outcome(
    ERRORS,
    replace(STOPPED, verdict="ErrorsRose: errors: new 5/110, old 0/1100"),
    30.0,
    Requests(2400, {"500": 7}),
    spell=Spell(15.5, 110, 140, 7),
)
slow = Outcome(
    SLOW,
    replace(STOPPED, verdict="SlowRose: slow: new 12/230, old 10/2300", decided=137.0),
    45.0,
    Requests(3600, {}),
    spell=Spell(32.0, 230, 280, 14),
)
crash = Outcome(
    CRASH,
    replace(STOPPED, crashes=2, verdict="Crashed: web-5d has crashed 2 times"),
    20.0,
    Requests(1600, {"refused": 9, "cut": 1}),
    spell=Spell(15.5, 80, 80, 10),
)
interrupted = Outcome(
    INTERRUPTED, STEPPED, 100.0, Requests(8000, {}), interruption=DEATH, spell=Spell(75.0, 1500, 1700, 0)
)
