"""What an image is made of, as an SPDX 2.3 document: crates that are linked in, and packages that files were taken from."""

import json
import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def crates(packages: list[str], target: str) -> list[dict]:
    """The crates that are linked into programs of these packages, by cargo's own resolution; build scripts' and macros' are left out."""
    command = ["cargo", "tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--target", target]
    command += ["--format", "{p}|{l}"] + [word for one in packages for word in ("--package", one)]
    told = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = set()
    for line in filter(None, told.splitlines()):
        # Such as `name v1.2.3 (/where/it/lies)|MIT (*)`, of which our own have a place.
        named, licence = line.removesuffix(" (*)").split("|")
        name, version, *place = named.split(" ")
        # Some crates still write the older `MIT/Apache-2.0`.
        found.add((name, version.removeprefix("v"), licence.replace("/", " OR ") or "NOASSERTION", bool(place)))
    return [
        package(name, version, licence, f"pkg:cargo/{name}@{version}", "NOASSERTION" if is_ours else "https://crates.io")
        for name, version, licence, is_ours in sorted(found)
    ]


def system(files: list[str]) -> tuple[list[dict], list[str]]:
    """The distribution's packages that files were taken from, and their notices of copyright. Nothing where it has no dpkg."""
    # Where /lib is a link to /usr/lib, the package may have listed a file under either.
    paths = {path for file in files for path in (file, re.sub("^/usr/", "/", file), f"/usr{file}")}
    try:
        # It says which of them it does not know, and that is no matter.
        found = subprocess.run(["dpkg-query", "--search", *sorted(paths)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return [], []
    names = {line.split(":")[0] for line in found.stdout.decode().splitlines()}
    packages, notices = [], []
    for name in sorted(names):
        shown = subprocess.run(
            ["dpkg-query", "--show", "--showformat", "${Version} ${Architecture}\n", name], check=True, stdout=subprocess.PIPE
        )
        version, architecture = shown.stdout.decode().splitlines()[0].split(" ")
        purl = f"pkg:deb/debian/{name}@{version}?arch={architecture}"
        packages.append(package(name, version, "NOASSERTION", purl, "NOASSERTION"))
        if Path(f"/usr/share/doc/{name}/copyright").exists():
            notices.append(f"/usr/share/doc/{name}/copyright")
    return packages, notices


def package(name: str, version: str, licence: str, purl: str, location: str) -> dict:
    return {
        "SPDXID": "SPDXRef-" + re.sub("[^A-Za-z0-9.-]", "-", purl.removeprefix("pkg:")),
        "name": name,
        "versionInfo": version,
        "downloadLocation": location,
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
    }


def document(name: str, version: str, digest: str, contents: list[dict]) -> dict:
    """The document about the image with this digest."""
    purl = f"pkg:oci/{name}@{digest.replace(':', '%3A')}"
    image = package(name, version, "MIT OR Apache-2.0", purl, "NOASSERTION")
    image["SPDXID"] = "SPDXRef-image"
    image["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}]

    def relation(of: str, kind: str, to: str) -> dict:
        return {"spdxElementId": of, "relationshipType": kind, "relatedSpdxElement": to}

    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{version}",
        "documentNamespace": f"https://outrigger.dev/sbom/{name}/{digest.removeprefix('sha256:')}",
        "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: outrigger-deploy-images"]},
        "packages": [image, *contents],
        "relationships": [
            relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image"),
            *(relation("SPDXRef-image", "CONTAINS", one["SPDXID"]) for one in contents),
        ],
    }
