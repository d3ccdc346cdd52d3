"""From what a source gave to the files of the dataset: archives unpacked, the rest looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from worker.fetching.archive import Format, sniff, unpack_zip
from worker.fetching.faults import bad_archive, disk_full, size
from worker.fetching.files import Gathered, Member, pieces, sha256_of, write
from worker.fetching.media import kind_of
from worker.fetching.progress import Watch
from worker.fetching.source import Fetched, Raw
from worker.fetching.tarball import OPEN, unpack_tar
from worker.settings import FetchLimits

_UNKNOWN_HINT = "Upload the files as .zip or .tar.gz."
_PAGE_HINT = (
    "Give the address that the download itself has. Google Drive and pages that ask or count down give none; "
    "Dropbox does with dl=1 at the end, the Hugging Face Hub as hf://datasets/owner/name."
)


def gather(fetched: Fetched, into: Path, watch: Watch, limits: FetchLimits) -> Gathered:
    """Unpacks and copies into numbered folders and files below `into`, which must be empty."""
    archives: list[tuple[Raw, Format]] = []
    loose: list[Raw] = []
    for raw in fetched.files:
        packing = _packing(raw, alone=len(fetched.files) == 1)
        if packing is None:
            loose.append(raw)
        else:
            archives.append((raw, packing))
    found = [_unpack(raw, packing, into / f"a{n}", watch, limits) for n, (raw, packing) in enumerate(archives)]
    if len(archives) + len(loose) > 1:
        found = [_below(each, raw.name) for each, (raw, _packing) in zip(found, archives, strict=True)]
    found.append(_loose(loose, into / "loose", watch))
    return Gathered(
        members=tuple(member for each in found for member in each.members),
        others=(*fetched.left_out, *(name for each in found for name in each.others)),
        links=(*fetched.links, *(name for each in found for name in each.links)),
    )


def _packing(raw: Raw, *, alone: bool) -> Format | None:
    """How a file is packed; None for a file of the dataset itself. Raises StepFailed for what is neither."""
    kind = kind_of(raw.name)
    if not alone and kind != "archive":
        return None
    found = sniff(raw.path)
    if found is None and kind in ("images", "videos"):
        return None
    if found is None:
        raise bad_archive(raw.name, "it is neither an archive nor an image or a video", _UNKNOWN_HINT)
    if found == "empty":
        raise bad_archive(raw.name, "it is empty: 0 bytes")
    if found == "html":
        raise bad_archive(raw.name, "it is a web page, not an archive", _PAGE_HINT)
    if found in ("7z", "rar", "zstd"):
        title = {"7z": "7-Zip", "rar": "RAR", "zstd": "Zstandard"}[found]
        raise bad_archive(raw.name, f"{title} is not supported", _UNKNOWN_HINT)
    return found


def _unpack(raw: Raw, packing: Format, into: Path, watch: Watch, limits: FetchLimits) -> Gathered:
    into.mkdir()
    if packing == "zip":
        return unpack_zip(raw.path, raw.name, into, watch, limits)
    assert packing in OPEN
    return unpack_tar(raw.path, packing, raw.name, into, watch, limits)


def _below(found: Gathered, archive: str) -> Gathered:
    """The same files, in a folder called like their archive: several archives may use one name twice."""
    folder = archive.rpartition(".")[0] if "." in archive else archive
    folder = folder.removesuffix(".tar")
    return Gathered(
        members=tuple(
            Member(name=f"{folder}/{m.name}", path=m.path, size=m.size, sha256=m.sha256) for m in found.members
        ),
        others=tuple(f"{folder}/{name}" for name in found.others),
        links=tuple(f"{folder}/{name}" for name in found.links),
    )


def _loose(files: Sequence[Raw], into: Path, watch: Watch) -> Gathered:
    """Files that need no unpacking: copied where they belong to somebody else, and their digests taken."""
    into.mkdir()
    needed, free = sum(raw.path.stat().st_size for raw in files if raw.borrowed), _free(into)
    if needed > free:
        raise disk_full(f"the copy needs {size(needed)}, and {size(free)} are free")
    watch.phase("reading", total=len(files), unit="files")
    members = []
    for number, raw in enumerate(files):
        path = into / f"{number:07}" if raw.borrowed else raw.path
        if raw.borrowed:
            with raw.path.open("rb") as source:
                count, digest = write(pieces(source), path, watch, raw.name)
        else:
            count, digest = path.stat().st_size, sha256_of(path, watch)
        members.append(Member(name=raw.name, path=path, size=count, sha256=digest))
        watch.add(1)
    return Gathered(members=tuple(members))


def _free(folder: Path) -> int:
    import shutil

    return shutil.disk_usage(folder).free
