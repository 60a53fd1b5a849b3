"""Layers and images as the OCI image format has them, written to an archive byte for byte alike from the same files."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

# Version 2 of a file capability: effective, and permitted NET_ADMIN (bit 12); see capabilities(7) and linux/capability.h.
NET_ADMIN = bytes([1, 0, 0, 2, 0, 16, 0, 0]) + bytes(12)
CAPABILITY = "security.capability"


@dataclass(frozen=True)
class Entry:
    """A file, or a link where `link` is set. Everything belongs to root, who never runs in these images."""

    content: bytes = b""
    mode: int = 0o644
    link: str = ""
    capability: bytes = b""


@dataclass
class Layer:
    """Files by their absolute paths."""

    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, path: str, entry: Entry) -> None:
        self.entries[path.lstrip("/")] = entry

    def add_file(self, path: str, source: str | Path, mode: int = 0o644, capability: bytes = b"") -> None:
        self.add(path, Entry(Path(source).read_bytes(), mode, capability=capability))

    def folders(self) -> list[str]:
        return sorted({str(parent) for path in self.entries for parent in PurePosixPath(path).parents} - {"."})

    def tar(self) -> bytes:
        """The layer as a tar: sorted, no times, no names of users."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for folder in self.folders():
                head = tarfile.TarInfo(folder)
                head.type, head.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(head)
            for path, entry in sorted(self.entries.items()):
                head = tarfile.TarInfo(path)
                head.mode = entry.mode
                if entry.link:
                    head.type, head.linkname, head.mode = tarfile.SYMTYPE, entry.link, 0o777
                head.size = len(entry.content)
                if entry.capability:
                    head.pax_headers = {f"SCHILY.xattr.{CAPABILITY}": entry.capability.decode("ascii")}
                archive.addfile(head, io.BytesIO(entry.content))
        return out.getvalue()

    def write(self, root: Path) -> None:
        """The layer as a folder; a file's capability needs root."""
        for folder in self.folders():
            (root / folder).mkdir(parents=True, exist_ok=True)
        for path, entry in self.entries.items():
            to = root / path
            if entry.link:
                to.symlink_to(entry.link)
                continue
            to.write_bytes(entry.content)
            to.chmod(entry.mode)
            if entry.capability:
                os.setxattr(to, CAPABILITY, entry.capability)


@dataclass
class Image:
    """What runs: layers, the lowest first, and how it is started."""

    name: str
    title: str
    layers: list[Layer]
    entrypoint: list[str]
    user: str
    version: str
    # Further variables, NAME=VALUE.
    variables: list[str] = field(default_factory=list)

    def archive(self, reference: str, architecture: str) -> tuple[bytes, str, int]:
        """The archive, the digest of its manifest, and how many bytes a registry would send."""
        blobs: dict[str, bytes] = {}

        def add(content: bytes, media_type: str) -> dict:
            digest = hashlib.sha256(content).hexdigest()
            blobs[digest] = content
            return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

        tars = [layer.tar() for layer in self.layers]
        labels = {
            "org.opencontainers.image.title": self.name,
            "org.opencontainers.image.description": self.title,
            "org.opencontainers.image.version": self.version,
            "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        }
        epoch = "1970-01-01T00:00:00Z"
        config = {
            "created": epoch,
            "architecture": architecture,
            "os": "linux",
            "config": {
                "User": self.user,
                "Entrypoint": self.entrypoint,
                "Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin", *self.variables],
                "WorkingDir": "/",
                "Labels": labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]},
            "history": [{"created": epoch, "created_by": "deploy/images"} for _ in tars],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": add(to_json(config), CONFIG),
            "layers": [add(compress(tar), LAYER) for tar in tars],
            "annotations": labels,
        }
        described = add(to_json(manifest), MANIFEST)
        described["platform"] = {"architecture": architecture, "os": "linux"}
        described["annotations"] = {
            "io.containerd.image.name": reference,
            "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
        }
        layout = Layer()
        layout.add("oci-layout", Entry(to_json({"imageLayoutVersion": "1.0.0"})))
        layout.add("index.json", Entry(to_json({"schemaVersion": 2, "manifests": [described]})))
        for digest, content in blobs.items():
            layout.add(f"blobs/sha256/{digest}", Entry(content))
        return layout.tar(), described["digest"], sum(map(len, blobs.values()))


def compress(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=9, mtime=0)


def to_json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"
