"""The answer as one self-contained HTML page: bars, crops, what is dropped, captions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from dpcompile.diagnostics import Diagnostic
from dpcompile.inspection.advice import crop_box, cut_away
from dpcompile.inspection.counting import Bucket
from dpcompile.inspection.dataset import DatasetReport, Directory
from dpcompile.inspection.inspected import Inspection
from dpcompile.inspection.judging import Verdict
from dpcompile.inspection.text import arithmetic
from dpcompile.inspection.wordlists import many

_PICTURES = 60
"""Pictures on a page, of those that lose most; and captions."""
_SLIGHT = 0.02
"""A crop that nobody sees."""
_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #ddd}h3{font-size:1rem}
table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;text-align:left;vertical-align:top}
td.n{text-align:right;white-space:nowrap}td.bar{width:55%}pre{background:#f5f5f5;padding:1rem;overflow-x:auto}
.bar div{display:flex;height:1rem;background:#f3f3f3}.bar i{background:#2b6cb0}.bar b{background:#e0a030}
.grid{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;width:170px;overflow-wrap:anywhere;font-size:.8rem}
.shot{position:relative;display:inline-block;overflow:hidden;line-height:0}.shot img{max-width:170px}
.kept{position:absolute;outline:2px solid #2b6cb0;box-shadow:0 0 0 400px rgba(200,30,30,.55)}
.none{width:120px;height:80px;background:#eee;display:inline-block}.error{color:#b00020}.warning{color:#9a6700}
mark{background:#cdeccd}.missing{background:#fde2e2}li{margin:.3rem 0}small{color:#666}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page shows of files. Both go by folder and path of a file, as `key` makes them."""

    pictures: Mapping[str, str]
    captions: Mapping[str, Sequence[str]]
    trigger: str | None


def key(directory: Directory, verdict: Verdict) -> str:
    """Names a file on the page."""
    return f"{directory.rules.path}/{verdict.item.path}"


def pictured(report: DatasetReport, inspection: Inspection) -> list[tuple[Directory, Verdict]]:
    """The files whose picture is worth showing: the dropped ones, then those that lose most to cropping."""
    every = list(report.verdicts)
    dropped = [pair for pair in every if not pair[1].buckets][:_PICTURES]
    cropped = [pair for pair in every if pair[1].buckets and _cut(pair[1], inspection) > _SLIGHT]
    cropped.sort(key=lambda pair: -_cut(pair[1], inspection))
    return dropped + cropped[:_PICTURES]


def captioned(report: DatasetReport) -> list[tuple[Directory, Verdict]]:
    """The files whose captions are worth showing, those without the trigger word first."""
    every = [pair for pair in report.verdicts if pair[1].buckets]
    return sorted(every, key=lambda pair: pair[1].item.captions.with_trigger > 0)[:_PICTURES]


def _cut(verdict: Verdict, inspection: Inspection) -> float:
    return cut_away(verdict, verdict.buckets[0], inspection.facts)


def page(inspections: Sequence[Inspection], shown: Shown) -> str:
    """The whole page; nothing in it is loaded from elsewhere."""
    body = "\n".join(line for inspection in inspections for line in _training(inspection, shown))
    title = escape(inspections[0].facts.title)
    head = f'<meta charset="utf-8"><title>{title}: the dataset as the trainer sees it</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _training(inspection: Inspection, shown: Shown) -> Iterator[str]:
    course = inspection.schedule
    name = f", {inspection.training}" if inspection.training else ""
    yield f"<h1>{escape(inspection.facts.title + name)}</h1>"
    total = course.total_steps if course else 0
    yield f"<p><strong>{inspection.train.steps}</strong> steps an epoch, <strong>{total}</strong> steps in all.</p>"
    yield from _findings(inspection.diagnostics)
    yield f"<h2>How it comes about</h2><pre>{escape(chr(10).join(arithmetic(inspection)))}</pre>"
    for report in inspection.reports:
        yield from _dataset(report, inspection, shown)


def _findings(diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    if diagnostics:
        yield "<h2>What was found</h2><ul>"
    for found in diagnostics:
        label = f'<strong class="{found.severity}">{found.severity} {found.code}</strong>'
        hint = f"<br><small>{escape(found.hint)}</small>" if found.hint else ""
        yield f"<li>{label} {escape(found.file or '')}: {escape(found.message)}{hint}</li>"
    yield "</ul>" if diagnostics else ""


def _dataset(report: DatasetReport, inspection: Inspection, shown: Shown) -> Iterator[str]:
    name = "Training set" if report.name == "train" else f"Evaluation set {escape(report.name)}"
    yield f"<h2>{name}: buckets</h2><table>"
    most = max((bucket.items for bucket in report.buckets), default=0) or 1
    yield from (_bar(bucket, most) for bucket in report.buckets)
    yield "</table>"
    pictures = pictured(report, inspection)
    dropped = [pair for pair in pictures if not pair[1].buckets]
    cropped = [pair for pair in pictures if pair[1].buckets]
    if dropped:
        count = sum(not verdict.buckets for _directory, verdict in report.verdicts)
        yield f"<h2>{name}: {many(count, 'file')} not trained</h2>{_more(count, dropped)}<div class=grid>"
        yield from (_figure(*pair, inspection, shown) for pair in dropped)
        yield "</div>"
    if cropped:
        yield f"<h2>{name}: what is cropped</h2><p>The frame is what is kept; red is cut away.</p><div class=grid>"
        yield from (_figure(*pair, inspection, shown) for pair in cropped)
        yield "</div>"
    yield from _captions(report, shown, name)


def _more(count: int, dropped: Sequence[object]) -> str:
    return f"<p>The first {len(dropped)} of them.</p>" if count > len(dropped) else ""


def _bar(bucket: Bucket, most: int) -> str:
    lost, used = bucket.lost, bucket.items - bucket.lost
    parts = f'<i style="width:{100 * used / most:.2f}%"></i><b style="width:{100 * lost / most:.2f}%"></b>'
    told = f"{many(bucket.items, 'item')} = {bucket.steps} x {bucket.batch}, {lost} lost"
    told = told if bucket.steps else f"{many(bucket.items, 'item')} of {bucket.batch}: not trained"
    return f"<tr><td class=n>{bucket.name}</td><td class=bar><div>{parts}</div></td><td>{told}</td></tr>"


def _figure(directory: Directory, verdict: Verdict, inspection: Inspection, shown: Shown) -> str:
    source = shown.pictures.get(key(directory, verdict))
    image = f'<img alt="" src="{source}">' if source else '<span class="none"></span>'
    words = escape(verdict.reason)
    if verdict.buckets:
        left, top, right, bottom = crop_box(verdict, verdict.buckets[0], inspection.facts)
        place = f"left:{left:.2%};top:{top:.2%};width:{right - left:.2%};height:{bottom - top:.2%}"
        image += f'<span class="kept" style="{place}"></span>' if source else ""
        width, height = inspection.facts.sides(verdict.buckets[0].width, verdict.buckets[0].height)
        own = "x".join(map(str, verdict.item.probe.decoded_sides))
        words = f"{own} to {width}x{height}, {_cut(verdict, inspection):.0%} cut away"
    return f"<figure><span class=shot>{image}</span><br>{escape(verdict.item.path)}<br><small>{words}</small></figure>"


def _captions(report: DatasetReport, shown: Shown, name: str) -> Iterator[str]:
    trained = [verdict for _directory, verdict in report.verdicts if verdict.buckets]
    if not trained:
        return
    yield f"<h2>{name}: captions</h2>"
    if shown.trigger:
        count = sum(verdict.item.captions.with_trigger > 0 for verdict in trained)
        share = f"{count} of {len(trained)} files ({count / len(trained):.0%})"
        yield f"<p>The trigger word <mark>{escape(shown.trigger)}</mark> is in the captions of {share}.</p>"
    yield "<ul>"
    for directory, verdict in captioned(report):
        for text in shown.captions.get(key(directory, verdict), ("",))[:3]:
            whole = directory.rules.caption_prefix + text
            missing = ' class="missing"' if shown.trigger and shown.trigger not in whole else ""
            words = escape(whole) or "<em>no caption</em>"
            if shown.trigger:
                words = words.replace(escape(shown.trigger), f"<mark>{escape(shown.trigger)}</mark>")
            yield f"<li{missing}><small>{escape(verdict.item.path)}</small><br>{words}</li>"
    yield "</ul>"
