"""From files in any layout to one flat folder, as the trainer reads it.

The trainer looks at one folder, not below it, and takes every file that is no known text for a picture
(utils/dataset.py:628-656). So nothing but media and captions goes in, and all of it lies side by side.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dpcompile.inspection.wordlists import many, verb
from worker.errors import StepFailed
from worker.fetching.captions import CaptionTable, pair, read_table
from worker.fetching.files import Gathered, Member
from worker.fetching.media import MASK_FOLDER, REPEATS_FOLDER, Media, is_archive_name, kind_of, suffix_of
from worker.fetching.names import clean_stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something about the data that the user should know."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """The dataset's folder: a name for each file in it. One member may stand there under two names."""

    files: Mapping[str, Member]
    table: CaptionTable | None
    """What captions.json is to hold."""
    warnings: tuple[Warned, ...]


def arrange(found: Gathered, media: Media, source: str) -> Arrangement:
    """Decides what goes into the folder and under which name.

    Raises StepFailed when there is nothing to train on, or when a flat folder would mean something else.
    """
    kinds: dict[str, list[Member]] = defaultdict(list)
    once = {member.name: member for member in found.members}  # of a name that stands twice the last counts
    for member in sorted(once.values(), key=lambda m: m.name):
        kinds[kind_of(member.name)].append(member)
    wanted = kinds[media]
    foreign = kinds["videos" if media == "images" else "images"]
    if not wanted:
        raise _nothing(media, len(foreign), found, source)
    _refuse_masks(wanted)
    names = _final_names(wanted)
    pairing = pair(wanted, kinds["caption"])
    files = {names[member.name]: member for member in wanted}
    files |= {f"{names[name].rpartition('.')[0]}.txt": caption for name, caption in pairing.captions.items()}
    table = read_table(kinds["captions.json"], wanted, names)
    alone = [c for c in pairing.alone if not _beside(c, foreign)]
    warnings = [
        *_about_doubles(found),
        *_about_layout(wanted, names),
        *_about_left_out(found, media, foreign, alone),
        *_about_captions(table, len(pairing.captions)),
    ]
    return Arrangement(files=files, table=table, warnings=tuple(warnings))


def folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def stem_of(name: str) -> str:
    return name.rpartition("/")[2].strip().rpartition(".")[0]


def _final_names(wanted: Sequence[Member]) -> dict[str, str]:
    """Name in the source -> name in the folder. No two have one stem: captions and masks go by it."""
    folders = [folder_of(member.name).split("/") for member in wanted]
    shared = len(os.path.commonprefix(folders))  # noqa: RUF071 - of lists: it goes part by part
    groups: dict[str, list[Member]] = defaultdict(list)
    for member in wanted:
        groups[clean_stem(stem_of(member.name)).casefold()].append(member)
    names: dict[str, str] = {}
    taken: set[str] = set()
    # Those who need no other name first, so that nobody else's new name pushes them aside.
    for group in sorted(groups.values(), key=len):
        for place, member in enumerate(group):
            stem = clean_stem(stem_of(member.name))
            if len(group) > 1:
                stem = _told_apart(member, group[:place], stem, shared)
            unique, count = stem, 1
            while unique.casefold() in taken:
                count += 1
                unique = f"{stem}_{count}"
            taken.add(unique.casefold())
            names[member.name] = unique + suffix_of(member.name)
    return names


def _told_apart(member: Member, before: Sequence[Member], stem: str, shared: int) -> str:
    """A stem with the folder in front, and the kind of file behind where the folder has it twice."""
    inner = [part for part in folder_of(member.name).split("/")[shared:] if part]
    if any(folder_of(other.name) == folder_of(member.name) for other in before):
        stem = f"{stem}_{suffix_of(member.name)[1:]}"
    return clean_stem("_".join([*inner, stem]))


def _refuse_masks(wanted: Sequence[Member]) -> None:
    """Pictures that belong to other pictures would be trained as pictures of their own."""
    plain = {stem_of(m.name) for m in wanted if not MASK_FOLDER.fullmatch(folder_of(m.name).rpartition("/")[2])}
    for member in wanted:
        folder = folder_of(member.name).rpartition("/")[2]
        if MASK_FOLDER.fullmatch(folder) and stem_of(member.name) in plain:
            text = f"the folder {folder} holds pictures that belong to others ({member.name}): they would be trained"
            hint = (
                "Leave it out of the archive. Put it on the volume, and name it in training.dataset: "
                "mask_path for masks, control_path for control images."
            )
            raise StepFailed("DPC717", text, hint, resumable=False)


def _nothing(media: Media, foreign: int, found: Gathered, source: str) -> StepFailed:
    other = "videos" if media == "images" else "images"
    what = [f"{foreign} {other}"] if foreign else []
    what += [f"other files ({some(found.others)})"] if found.others else []
    text = f"{source} has no {media} in it: {' and '.join(what) or 'it is empty'}"
    hint = f"Look into the archive. It needs {media} at its top or in a folder."
    if foreign:
        hint = f"Give it as dataset.{other}_url, or other data as dataset.{media}_url."
    elif any(is_archive_name(name) for name in found.others):
        hint = f"Archives within archives are not unpacked. Pack the {media} themselves."
    elif any(name.endswith((".parquet", ".arrow")) for name in found.others):
        hint = f"Parquet and Arrow files are not read. Upload the {media} as files, or as a .zip."
    elif any(name.lower().endswith((".heic", ".heif", ".jxl", ".cr2", ".dng", ".psd")) for name in found.others):
        hint = "The trainer cannot open these. Convert them to .jpg or .png."
    return StepFailed("DPC715", text, hint, resumable=False)


def _beside(caption: Member, foreign: Sequence[Member]) -> bool:
    """Whether a caption goes with media that are left out."""
    stem = caption.name.rpartition(".")[0]
    return any(stem in (other.name, other.name.rpartition(".")[0]) for other in foreign)


def _about_doubles(found: Gathered) -> list[Warned]:
    doubles = [name for name, count in Counter(m.name for m in found.members).items() if count > 1]
    text = f"{many(len(doubles), 'name')} {verb(doubles, 'stands', 'stand')} more than once in the data "
    text += f"({some(doubles)}): of each the last file counts"
    return [Warned(message=text, hint="Give every file a name of its own.")] if doubles else []


def _about_layout(wanted: Sequence[Member], names: Mapping[str, str]) -> list[Warned]:
    told = []
    folders = sorted({folder_of(member.name) for member in wanted})
    renamed = [f"{old} is {names[old]}" for old in names if clean_stem(stem_of(old)) + suffix_of(old) != names[old]]
    if len(folders) > 1:
        text = f"media from {len(folders)} folders ({some(folders)}) were put into one: the trainer looks no deeper"
        told.append(Warned(message=text))
    if renamed:
        text = f"{many(len(renamed), 'file')} got another name, because two had the same ({some(renamed, 3)})"
        told.append(Warned(message=text))
    repeats = [name for name in folders if REPEATS_FOLDER.fullmatch(name.rpartition("/")[2])]
    if repeats:
        text = f"the number in the name of a folder ({some(repeats)}) does not repeat its pictures here"
        told.append(Warned(message=text, hint="Set dataset.image_repeats or dataset.video_repeats."))
    return told


def _about_left_out(found: Gathered, media: Media, foreign: Sequence[Member], alone: Sequence[Member]) -> list[Warned]:
    told = []
    if foreign:
        other = "videos" if media == "images" else "images"
        text = f"{many(len(foreign), other.removesuffix('s'))} among the {media} {verb(foreign, 'is', 'are')} left out "
        text += f"({some([m.name for m in foreign])})"
        hint = f"To train on them too, give the address as dataset.{other}_url as well."
        told.append(Warned(message=text, hint=hint))
    if found.others:
        one = "file that is neither media nor a caption is"
        several = f"{len(found.others)} files that are neither media nor captions are"
        text = f"{verb(found.others, f'1 {one}', several)} left out ({some(found.others)})"
        archives = any(is_archive_name(name) for name in found.others)
        told.append(Warned(message=text, hint="Archives within archives are not unpacked." if archives else ""))
    if found.links:
        text = (
            f"{many(len(found.links), 'link or device', 'links or devices')} {verb(found.links, 'is', 'are')} left out "
        )
        text += f"({some(found.links)})"
        told.append(Warned(message=text, hint="Put the files themselves in their place."))
    if alone:
        what = verb(alone, "belongs to no media and is", "belong to no media and are")
        text = f"{many(len(alone), '.txt file')} {what} left out ({some([m.name for m in alone])})"
        told.append(Warned(message=text, hint="A caption is called like its image or video: photo.jpg, photo.txt."))
    return told


def _about_captions(table: CaptionTable | None, captions: int) -> list[Warned]:
    if table is None:
        return []
    told = []
    if table.unknown:
        missing = many(len(table.unknown), "file that is not there", "files that are not there")
        text = f"captions.json names {missing} ({some(table.unknown)})"
        told.append(Warned(message=text))
    if captions:
        text = f"{many(captions, '.txt file')} {'has' if captions == 1 else 'have'} no effect: "
        text += "beside captions.json the trainer does not read any"
        told.append(Warned(message=text, hint="Leave out captions.json, or the .txt files."))
    return told


def some(names: Sequence[str], count: int = 4) -> str:
    """A few names for a message, and how many more there are."""
    shown = [name or "the top" for name in names[:count]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
