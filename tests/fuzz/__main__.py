"""`python -m tests.fuzz TARGET [RUNS] [CORPUS...]`: fuzzes one target, guided by coverage (libFuzzer, by atheris).

What it finds stands in `crash-…` of the directory it was started in; put that file into tests/fuzz/corpus/TARGET, where
every run of the tests tries it again.
"""

import sys

import atheris

with atheris.instrument_imports(include=["penstock", "webhook", "controller"], enable_loader_override=False):
    from tests.fuzz.targets import TARGETS

DEEPEST = 4096
"""Bytes of an input: what is interesting shows in short ones."""
SLOWEST = 10
"""Seconds for one input."""


def main(target: str, runs: str = "1000000", *corpora: str) -> None:
    """Does not return: the fuzzer ends the process, with 0 where it has found nothing."""
    flags = [f"-runs={runs}", f"-max_len={DEEPEST}", f"-timeout={SLOWEST}", "-seed=1", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *flags, *corpora], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
