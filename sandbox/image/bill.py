"""The bill of materials beside the image: every package in it, in CycloneDX, read from the very trees it is made of.

Not from uv.lock: that says what was asked for. The only module of the image that needs more than the standard library,
since an image must be buildable with a bare Python.
"""

import json
import uuid
from collections.abc import Iterator
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from sandbox.image.base import STATUS
from sandbox.image.release import Release

VERSION = SchemaVersion.V1_6


def write(file: Path, release: Release, root: Path, libraries: Path, digest: str) -> Path:
    """The bill of the image with this DIGEST, made of Debian's packages at ROOT and Python's at LIBRARIES."""
    bill = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{release.reference}@{digest}"),
        components=[*_debian(root, release.architecture), *_python(libraries)],
    )
    bill.metadata.component = Component(
        name="penstock",
        version=release.version,
        type=ComponentType.CONTAINER,
        bom_ref="penstock",
        purl=PackageURL("oci", None, "penstock", digest, {"arch": release.architecture}),
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
    )
    bill.register_dependency(bill.metadata.component, bill.components)
    said = json.loads(make_outputter(bill, OutputFormat.JSON, VERSION).output_as_string())
    del said["metadata"]["timestamp"]  # the same image, the same bill
    file.write_text(json.dumps(said, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return file


def _debian(root: Path, architecture: str) -> Iterator[Component]:
    for notes in sorted((root / STATUS).iterdir()):
        said = HeaderParser().parsestr(notes.read_text(encoding="utf-8"))
        name, version = said["Package"], said["Version"]
        purl = PackageURL("deb", "debian", name, version, {"arch": said["Architecture"] or architecture})
        yield Component(name=name, version=version, type=ComponentType.LIBRARY, bom_ref=f"deb-{name}", purl=purl)


def _python(libraries: Path) -> Iterator[Component]:
    for found in sorted(metadata.distributions(path=[str(libraries)]), key=lambda each: each.name.lower()):
        name = found.name.lower().replace("_", "-").replace(".", "-")
        yield Component(
            name=name,
            version=found.version,
            type=ComponentType.LIBRARY,
            bom_ref=f"pypi-{name}",
            purl=PackageURL("pypi", None, name, found.version),
            licenses=[LicenseFactory().make_from_string(words) for words in _licences(found)],
        )


def _licences(found: metadata.Distribution) -> list[str]:
    """The expression; older packages have only classifiers, one of which may be all that is said."""
    classifiers = (one for one in found.metadata.get_all("Classifier") or [] if one.startswith("License ::"))
    return found.metadata.get_all("License-Expression") or [one.rpartition(" :: ")[2] for one in classifiers]
