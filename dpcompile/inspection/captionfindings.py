"""What is wrong with the captions of one folder."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.inspection.dataset import Directory
from dpcompile.inspection.extensions import looks_like_media
from dpcompile.inspection.judging import shares
from dpcompile.inspection.media import ModelFacts
from dpcompile.inspection.saying import Check, Said, Wishes, what
from dpcompile.inspection.wordlists import many, verb


def _captions_json(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    folder = directory.folder
    if folder.captions_problem:
        text = f"captions.json cannot be used: {folder.captions_problem}; the trainer hangs"
        hint = 'It must look like {"photo.jpg": ["a caption"]}, in UTF-8 without a byte order mark.'
        yield "DPC607", text, hint, None
    bad = directory.out("caption unusable")
    if listed := [v for v in bad if folder.captions_json]:
        text = f"captions.json: the entry of {what(listed)} is not a list of texts; the trainer hangs"
        yield "DPC607", text, 'Write ["a caption"], in brackets, even where there is one.', None
    elif bad:
        text = f"the caption of {what(bad)} cannot be read as UTF-8 text: the trainer hangs"
        yield "DPC608", text, "Save the texts as UTF-8.", None


def _no_captions_json(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    if directory.rules.online_captions and not directory.folder.captions_json:
        text = "online_captions is set, and there is no captions.json: the trainer stops"
        yield "DPC607", text, "Take online_captions out: with it files in folders get empty captions anyway.", None


def _all_empty(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    """A bucket in which no file has a caption, though each has a list of them (utils/dataset.py:299)."""
    alone = [share for share in shares(directory.verdicts, directory.rules) if not share.captions]
    if alone:
        files = [v for v in directory.trained if v.captions == 0 and {s.key for s in alone} & set(v.buckets)]
        text = f"the list of captions of {what(files)} is empty, and no file of its size has one: the trainer hangs"
        yield "DPC607", text, "Add a caption to it, or take the file out.", None


def _unused_captions(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    unused = directory.folder.unused_captions
    if unused and directory.folder.captions_json:
        text = f"{many(unused, '.txt file')} {'is' if unused == 1 else 'are'} not read: captions.json takes their place"
        yield "DPC624", text, "Keep one of the two.", None
    elif unused:
        text = f"{many(unused, '.txt file')} {'has' if unused == 1 else 'have'} no file of media with the same name"
        yield "DPC624", text, "Name each caption like its file: photo.jpg and photo.txt.", None


def _without_caption(directory: Directory, _facts: ModelFacts, wishes: Wishes) -> Iterator[Said]:
    out = [v for v in directory.out("caption missing") if looks_like_media(v.item.name)]
    empty = [v for v in directory.trained if v.item.captions.count is None]
    if directory.folder.captions_problem:
        return  # none is known
    if wishes.missing_caption == "error" and (out or empty):
        text = f"{what(out or empty)} {verb(out or empty, 'has', 'have')} no caption"
        hint = "Write the captions, or say in dataset.missing_caption what is meant: skip or empty."
        yield "DPC611", text, hint, None
    elif out:
        text = f"{what(out)} {verb(out, 'is', 'are')} not trained, for want of a caption"
        way = 'dataset.missing_caption "empty"' if wishes.of_job else "skip_empty_caption false"
        yield "DPC611", text, f"Write the captions, or set {way} to train without.", "warning"
    elif empty:
        text = f"{what(empty)} {verb(empty, 'has', 'have')} no caption and {verb(empty, 'is', 'are')} trained with an "
        yield "DPC611", f"{text}empty one", "", "info"


def _empty_captions(directory: Directory, _facts: ModelFacts, _wishes: Wishes) -> Iterator[Said]:
    empty = [v for v in directory.trained if v.item.captions.empty]
    if empty:
        yield "DPC636", f"the caption of {what(empty)} is empty", "Describe what is to be seen.", None
    if marked := [v for v in directory.trained if v.item.captions.bom]:
        text = f"the caption of {what(marked)} begins with a byte order mark, which is trained as a character"
        yield "DPC636", text, "Save the texts as UTF-8 without BOM.", None
    if none := [v for v in directory.trained if v.captions == 0]:
        yield "DPC636", f"the list of captions of {what(none)} is empty: not trained", "Add a caption to it.", None


def _trigger(directory: Directory, _facts: ModelFacts, wishes: Wishes) -> Iterator[Said]:
    with_captions = [v for v in directory.trained if v.item.captions.count]
    without = [v for v in with_captions if v.item.captions.with_trigger < (v.item.captions.count or 0)]
    if wishes.trigger and without and wishes.trigger not in directory.rules.caption_prefix:
        text = f'the trigger word "{wishes.trigger}" is missing from the caption of {what(without)}'
        yield "DPC633", f"{text}, of {len(with_captions)}", "Put it in front of each caption.", None


CAPTION_CHECKS: tuple[Check, ...] = (
    _captions_json,
    _no_captions_json,
    _all_empty,
    _without_caption,
    _unused_captions,
    _empty_captions,
    _trigger,
)
