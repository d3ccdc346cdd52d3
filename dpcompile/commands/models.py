"""`dpcompile models`: the catalogue, or everything about one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from dpcompile.commands.common import FINDINGS, Common, exit_code, screen_width, tell, wrapped
from dpcompile.report import as_json, printable
from dpcompile.spec import ModelSpec
from dpcompile.trainer import Field
from dpcompile.wording import describe, quote

_GAP = 2  # blanks between columns


def run(name: str | None, common: Common, *, form: str) -> int:
    """Prints all models, or one."""
    catalogue = common.catalogue()
    if name is not None:
        spec = catalogue.find(name)
        if spec is None:
            broken = catalogue.load(name)[1] if name in catalogue.names() else ()
            tell(broken)
            if not broken:
                tell(catalogue.problems())
                message, hint = catalogue.unknown_model(name)
                click.echo(f"{message}. {hint}", err=True)
            return FINDINGS
        click.echo(as_json(_details(spec)) if form == "json" else "\n".join(_page(spec)))
        return 0
    entries = list(catalogue.all())
    found = tuple(dict.fromkeys((*catalogue.problems(), *(d for _, _, ds in entries for d in ds))))
    tell(found)
    specs = [spec for _, spec, _ in entries if spec is not None]
    click.echo(as_json([_overview(spec) for spec in specs]) if form == "json" else _table(specs))
    return exit_code(found)


def _overview(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "title": spec.title,
        "aliases": list(spec.aliases),
        "toml_type": spec.toml_type,
        "licence": spec.merged.get("licence"),
        "media": spec.merged["media"],
        "capabilities": spec.capabilities,
        "presets": list(spec.presets),
        "file": spec.chain[-1].file,
    }


def _details(spec: ModelSpec) -> dict[str, Any]:
    return {
        **_overview(spec),
        "paths": spec.merged.get("paths", {}),
        "sources": list(spec.sources),
        "fields": {name: _field(field) for name, field in spec.fields.items() if not field.owned},
        "unread": spec.unread,
        "presets": spec.presets,
        "defaults": {k: v for k, v in spec.merged.get("defaults", {}).items() if k != "job"},
        "notes": spec.merged.get("notes", []),
    }


def _field(field: Field) -> dict[str, Any]:
    schema = {k: v for k, v in field.schema.items() if k not in ("description", "required")}
    return {**schema, "required": field.required, "meaning": field.meaning}


def _table(specs: list[ModelSpec]) -> str:
    """One line for each model, with as many columns as the screen has room for."""
    columns = [
        ("NAME", *(spec.name for spec in specs)),
        ("TITLE", *(spec.title for spec in specs)),
        ("TRAINS ON", *(_kinds(spec) for spec in specs)),
        ("TYPE", *(spec.toml_type for spec in specs)),
        ("PRESETS", *(", ".join(spec.presets) for spec in specs)),
    ]
    widths = [max(map(len, column)) for column in columns]
    room = screen_width()
    while len(widths) > 2 and sum(widths) + _GAP * (len(widths) - 1) > room:
        widths.pop()
    rows = zip(*columns[: len(widths)], strict=True)
    return "\n".join((" " * _GAP).join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _kinds(spec: ModelSpec) -> str:
    return ", ".join(kind for kind in ("images", "videos") if getattr(spec.media, kind))


def _page(spec: ModelSpec) -> Iterator[str]:
    yield f"{spec.name}: {spec.title}\n"
    facts = {
        "Also called": ", ".join(spec.aliases),
        "Model type": spec.toml_type,
        "Licence": spec.merged.get("licence") or "not stated",
        "Trains on": _media(spec),
        "Can train": _can(spec),
    }
    for title, text in facts.items():
        if text:
            yield wrapped(f"{title:<12}{text}", later=" " * 12)
    for note in spec.merged.get("notes", []):
        yield wrapped(f"- {note}", later="  ")
    yield "\nFiles, below the models folder"
    for key, value in spec.merged.get("paths", {}).items():
        yield wrapped(f"  {key} = {quote(value, 200)}", later="      ")
    yield "\nDownloads, where nothing else is named in [model]"
    for source in spec.sources:
        yield from _source(source)
    yield '\nSettings of [model]: write them in "training", or in "model" inside it'
    for field in spec.fields.values():
        if not field.owned:
            yield wrapped(f"  {field.name}: {describe(field.schema)}{_marks(spec, field)}", later="      ")
            yield wrapped(f"      {printable(field.meaning)}", later="      ")
    yield '\nPresets: "preset": "NAME" in the job, or --preset NAME' if spec.presets else "\nNo presets"
    for name, preset in spec.presets.items():
        yield from _preset(name, preset)


def _source(source: Mapping[str, Any]) -> Iterator[str]:
    revision = source.get("revision", "main")
    at = "" if revision == "main" else f" at {revision}"
    remarks = [source.get("licence") or "licence not stated"]
    remarks += ["gated: needs a token"] if source.get("gated") else []
    yield wrapped(f"  {source['repo']}{at} ({', '.join(remarks)})", later="      ")
    yield wrapped(f"      {source.get('file') or ', '.join(source.get('files', []))}", later="      ")
    yield wrapped(f"      into {source['to']}", later="      ")


def _preset(name: str, preset: Mapping[str, Any]) -> Iterator[str]:
    yield wrapped(f"  {name}: {preset['title']}", later="      ")
    yield wrapped(f"      {preset.get('description', '')}", later="      ")
    for scope, values in preset["values"].items():
        prefix = "" if scope == "root" else f"{scope}."
        for key, value in values.items():
            yield wrapped(f"      {prefix}{key} = {quote(value, 200)}", later="          ")


def _marks(spec: ModelSpec, field: Field) -> str:
    """What the key is if a job says nothing: the spec's own value before the trainer's."""
    merged, name = spec.merged, field.name
    if name in merged.get("paths", {}):
        return "; set above"
    own = merged.get("defaults", {}).get("model", {})
    with_adapter = merged.get("defaults_with_adapter", {}).get("model", {})
    default = own[name] if name in own else field.schema.get("default")
    if name in with_adapter:
        return f"; default {quote(with_adapter[name])} when an adapter is trained"
    if default is not None:
        return f"; default {quote(default)}"
    return "; required" if field.required else ""


def _media(spec: ModelSpec) -> str:
    takes = " and ".join(kind for kind in ("images", "videos") if getattr(spec.media, kind))
    rate = spec.media.frame_rate
    return takes + (f" at {rate:g} frames per second" if rate else "")


def _can(spec: ModelSpec) -> str:
    words = {"lora": "LoRA", "lokr": "LoKr", "full_finetune": "full fine-tune", "float8": "float8 weights"}
    can = [word for key, word in words.items() if spec.capabilities.get(key)]
    blocks = spec.capabilities.get("blocks_to_swap")
    return ", ".join([*can, f"up to {blocks} blocks swapped"] if blocks else can)
