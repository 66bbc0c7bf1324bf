"""`python -m sandbox.image`: the image as an archive, with its bill of materials; or only the trees that are in it."""

import argparse
import sys
from pathlib import Path

from sandbox.image import code, release
from sandbox.image.base import latest
from sandbox.image.libraries import ROOT, libraries
from sandbox.missing import Missing

BUDGET = 80_000_000


def main() -> int:
    """`archive [--ref COMMIT] [--into DIRECTORY]` or `tree DIRECTORY`."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.image", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    archive = commands.add_parser("archive", help="an OCI archive and its bill of materials")
    archive.add_argument("--ref", default="", help="another commit than what is checked out")
    archive.add_argument("--into", type=Path, default=ROOT / "dist")
    tree = commands.add_parser("tree", help="libraries and code as files, for deploy/image/Containerfile")
    tree.add_argument("directory", type=Path)
    given = parser.parse_args()
    try:
        if given.command == "tree":
            code.tree(given.directory)
            return 0
        return _archive(given.ref, given.into)
    except Missing as missing:
        print(f"penstock: {missing}", file=sys.stderr)
        return 1


def _archive(ref: str, into: Path) -> int:
    from sandbox.archive import digest
    from sandbox.image import bill

    with release.checked_out(ref) as chosen:
        file = chosen.write(into)
        bottom = latest()
        beside = file.with_name(file.name.removesuffix(".oci.tar") + ".cdx.json")
        bill.write(beside, chosen, bottom.root, libraries(bottom, chosen.source).root, digest(file))
    size = file.stat().st_size
    print(f"{file}: {size / 1e6:.1f} MB of at most {BUDGET / 1e6:.0f}, {chosen.reference}, {digest(file)}")
    print(beside)
    return int(size > BUDGET)


if __name__ == "__main__":
    sys.exit(main())
