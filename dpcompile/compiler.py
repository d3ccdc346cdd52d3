"""compile_job: a job in, TOML files and a plan out. The phases, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import PurePath
from typing import Any

from dpcompile import __version__
from dpcompile.assemble import Assembled, assemble, own_settings, training_names
from dpcompile.catalogue import Catalogue
from dpcompile.checks import run_checks
from dpcompile.checks.facts import Facts, unfit
from dpcompile.codes import finding
from dpcompile.dataplan import DataFolder, check_data, data_folders
from dpcompile.diagnostics import Diagnostic, has_errors
from dpcompile.documents import Document, parse_json, parse_value
from dpcompile.folders import DEFAULT_VOLUME, Folders, made_job_id, make_folders
from dpcompile.inplace import check_in_place
from dpcompile.job import JobInput, check_job, empty_values, job_fields, read_job, secrets_by_set
from dpcompile.locate import locate
from dpcompile.misnamed import Naming
from dpcompile.plan import Plan, canonical
from dpcompile.planinput import PlanInput, Training
from dpcompile.planner import make_plan
from dpcompile.render import RenderedFile, render
from dpcompile.resolve import ResolvedConfig
from dpcompile.secrecy import Secrets, find_secrets, misplaced, redacted_job
from dpcompile.similar import did_you_mean
from dpcompile.spec import ModelSpec
from dpcompile.trainings import Part, check_one_dataset, combined
from dpcompile.verify import verify
from dpcompile.wording import listing, quote


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileResult:
    """All that came of a job. `files` and `plan` are there when nothing of severity error was found."""

    diagnostics: tuple[Diagnostic, ...]
    config: ResolvedConfig | None = None
    files: tuple[RenderedFile, ...] = ()
    plan: Plan | None = None

    @property
    def ok(self) -> bool:
        """Whether the job can be run."""
        return self.plan is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    file: str
    volume: str
    job_id: str | None
    comments: bool


def compile_job(
    job: str | bytes | Mapping[str, Any] | object,
    *,
    file: str = "job.json",
    catalogue: Catalogue | None = None,
    preset: str | None = None,
    sets: Sequence[str] = (),
    volume: str = DEFAULT_VOLUME,
    job_id: str | None = None,
    comments: bool = False,
) -> CompileResult:
    """Compiles one job: JSON text, or the decoded value.

    `sets` are `KEY=VALUE` texts that override the job; `comments` says in the TOML where each value came
    from. Whatever the job holds, the answer is a result with diagnostics; only mistakes in dpcompile
    itself raise. Keep a `Catalogue` and pass it when you compile more than one job.
    """
    catalogue = catalogue or _default_catalogue()
    document, found = parse_json(job, file=file) if isinstance(job, (str, bytes)) else parse_value(job, file=file)
    if document is None or has_errors(found):
        return CompileResult(diagnostics=_placed(found, document))
    read, more = read_job(document, sets, preset, catalogue.dirs)
    secrets = find_secrets(read.value, read.overrides) if read else find_secrets(document.value)
    found = (*found, *more)
    if read is None:
        return CompileResult(diagnostics=_placed(secrets.redact_all(found), document))
    options = _Options(file=file, volume=volume, job_id=job_id, comments=comments)
    result = _compile(read, found, catalogue, secrets, options)
    if result.config is not None and secrets.texts and secrets.found_in(*_shown(result.config)):
        result = replace(result, config=None)  # a secret was also written where `why` would show it
    told = _placed(secrets.redact_all(result.diagnostics), document)
    return replace(result, diagnostics=told)


def _shown(config: ResolvedConfig) -> Iterator[object]:
    """All that `why` would show of a config."""
    for key, setting in config.settings.items():
        yield from (*key, setting.value, setting.origin.file, setting.origin.pointer)
        for said in setting.shadowed:
            yield from (said.value, said.origin.file, said.origin.pointer)


@cache
def _default_catalogue() -> Catalogue:
    return Catalogue()


def _compile(
    job: JobInput, found: tuple[Diagnostic, ...], catalogue: Catalogue, secrets: Secrets, options: _Options
) -> CompileResult:
    """From a readable job on. Each phase ends before the next begins, so all its findings are told at once."""
    spec, spec_found = _find_model(job, catalogue)
    wrong = tuple(check_job(job, catalogue.dirs, training_names(spec, catalogue.trainer)))
    found = (*found, *wrong, *spec_found)
    if spec is None:
        return CompileResult(diagnostics=found)
    well_formed = not has_errors(wrong)
    data, data_found = data_folders(job, own_settings(job, spec).get("captioning", {}) if well_formed else {})
    chosen = options.job_id if options.job_id is not None else job.envelope_id
    job_id = chosen if chosen is not None else made_job_id(canonical(redacted_job(_content(job, data), secrets)))
    folders, folders_found = make_folders(job, options.volume, job_id, given=options.job_id is not None)
    found = (
        *found,
        *_check_preset(job, spec),
        *data_found,
        *folders_found,
        *check_data(job),
        *check_in_place(job),
        *secrets_by_set(job),
        *empty_values(job),
    )
    usable = folders or Folders(volume=DEFAULT_VOLUME, job_id="job")
    if not well_formed:
        return CompileResult(diagnostics=(*found, *_training_only(job, spec, catalogue, usable)))
    trainings = catalogue.trainings(spec)
    assembled = {
        name: assemble(job, naming_of(part, catalogue), usable, data, Part(name=name, names=_names(trainings)))
        for name, part in trainings.items()
    }
    facts = {name: _facts(job, part, catalogue, assembled[name], data) for name, part in trainings.items()}
    configs = {name: each.config for name, each in assembled.items()}
    found = (
        *found,
        *dict.fromkeys(d for each in assembled.values() for d in each.diagnostics),
        *dict.fromkeys(d for each in facts.values() for d in run_checks(each)),
        *check_one_dataset(configs),
    )
    config = combined(configs)
    if has_errors(found):
        return CompileResult(diagnostics=found, config=config)
    return _write(facts, config, usable, spec, catalogue, secrets, found, options)


def _names(trainings: Mapping[str, ModelSpec]) -> tuple[str, ...]:
    return tuple(name for name in trainings if name)


def _content(job: JobInput, data: Sequence[DataFolder]) -> dict[str, Any]:
    """What makes a job the same job: not how it is started, so that `launch.resume` finds its checkpoints."""
    digests = [folder.digest for folder in data]  # addresses may differ in their query alone
    return {**job.value, "launch": None, "overrides": job.overrides.get("training"), "data": digests}


def _training_only(job: JobInput, spec: ModelSpec, catalogue: Catalogue, folders: Folders) -> tuple[Diagnostic, ...]:
    """The findings in `training` of a job whose other parts are not well-formed."""
    plain = replace(job, value={k: v for k, v in job.value.items() if k in ("training", "model_type")})
    return assemble(plain, naming_of(spec, catalogue), folders, ()).diagnostics


def naming_of(spec: ModelSpec, catalogue: Catalogue) -> Naming:
    """All names that a job for this model could mean."""
    return Naming(
        spec=spec,
        trainer=catalogue.trainer,
        foreign=catalogue.foreign_keys,
        others=catalogue.model_keys,
        job_fields=job_fields(catalogue.dirs),
    )


def _find_model(job: JobInput, catalogue: Catalogue) -> tuple[ModelSpec | None, tuple[Diagnostic, ...]]:
    own = catalogue.problems()
    name = job.get("model_type")
    if not isinstance(name, str):
        return None, own
    spec = catalogue.find(name)
    if spec is not None:
        # A broken spec that this job does not use is told, and does not stop it.
        used = {link.file for link in spec.chain}
        fatal = [d.code == "DPC303" or d.file in used for d in own]
        return spec, tuple(d if stop else replace(d, severity="warning") for d, stop in zip(own, fatal, strict=True))
    broken = catalogue.load(name)[1] if name in catalogue.names() else ()
    if broken or any(d.code == "DPC308" or PurePath(d.file or "").stem == name for d in own):
        return None, tuple(dict.fromkeys((*own, *broken)))  # that is why there is no such model
    file, where = job.place(("model_type",))
    message, hint = catalogue.unknown_model(name)
    return None, (*own, finding("DPC206", where, message, hint, file=file))


def _check_preset(job: JobInput, spec: ModelSpec) -> Iterator[Diagnostic]:
    name = job.get("preset")
    if isinstance(name, str) and name not in spec.presets:
        file, where = job.place(("preset",))
        known = listing(spec.presets, "and") or "none"
        hint = f"{did_you_mean(name, spec.presets)} Presets of {spec.name}: {known}.".strip()
        yield finding("DPC207", where, f"{spec.name} has no preset {quote(name)}", hint, file=file)


def _facts(
    job: JobInput, spec: ModelSpec, catalogue: Catalogue, assembled: Assembled, data: tuple[DataFolder, ...]
) -> Facts:
    return Facts(
        config=assembled.config,
        spec=spec,
        trainer=catalogue.trainer,
        job=job,
        settings=assembled.settings,
        data=data,
        broken=assembled.broken | unfit(assembled.config),
        secrets=assembled.secrets,
    )


def _write(
    facts: Mapping[str, Facts],
    config: ResolvedConfig,
    folders: Folders,
    spec: ModelSpec,
    catalogue: Catalogue,
    secrets: Secrets,
    found: tuple[Diagnostic, ...],
    options: _Options,
) -> CompileResult:
    """Render, verify, plan."""
    files, unwritable = render(config, catalogue.dirs, comments=options.comments)
    found = (*found, *unwritable)
    if has_errors(unwritable):
        return CompileResult(diagnostics=found, config=config)
    mistakes = tuple(verify(files, config))
    first = next(iter(facts.values()))
    plan = make_plan(
        PlanInput(
            job=first.job,
            settings=first.settings,
            spec=spec,
            trainer=catalogue.trainer,
            trainings=tuple(
                Training(spec=each.spec, config=each.config, folders=folders.of_part(name))
                for name, each in facts.items()
            ),
            folders=folders,
            data=first.data,
            files=files,
            secrets={name: where for each in facts.values() for name, where in each.secrets.items()},
            compiler=__version__,
        )
    )
    mistakes = (*mistakes, *_leaks(plan, first, secrets))
    if mistakes:
        return CompileResult(diagnostics=(*found, *mistakes), config=config)
    return CompileResult(diagnostics=found, config=config, files=files, plan=plan)


def _leaks(plan: Plan, facts: Facts, secrets: Secrets) -> Iterator[Diagnostic]:
    """A secret that was also written where it would be seen, such as a token used as a trigger word."""
    if secrets.texts and secrets.found_in(*plan.texts()):
        for path in tuple(misplaced(facts.job.value, secrets)) or ((),):
            file, where = facts.job.place(path)
            text = "the text of a secret stands here too, and would get into the plan or a TOML file"
            hint = "Secrets belong in api_keys and output only. If the job was sent anywhere, make a new one."
            yield finding("DPC505", where, text, hint, file=file)


def _placed(diagnostics: Sequence[Diagnostic], document: Document | None) -> tuple[Diagnostic, ...]:
    """The findings in the order of the job, with line and column; those in specs have them already."""
    if document is None or document.text is None:
        return tuple(diagnostics)
    placed = [_place(d, document.file, document.text) for d in diagnostics]
    return tuple(sorted(placed, key=lambda d: (d.file != document.file, d.line or 0, d.column or 0)))


def _place(diagnostic: Diagnostic, file: str, text: str) -> Diagnostic:
    if diagnostic.line is not None or diagnostic.file != file:
        return diagnostic
    place = locate(text, diagnostic.path)
    return diagnostic if place is None else replace(diagnostic, line=place[0], column=place[1])
