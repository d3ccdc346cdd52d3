"""Every diagnostic code: its severity and its one-line title. Codes are never reused."""

from __future__ import annotations

from dataclasses import dataclass

from dpcompile.diagnostics import Diagnostic, Severity


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding; `dpcompile explain CODE` prints its page."""

    code: str
    severity: Severity
    title: str


def _codes(severity: Severity, titles: dict[int, str]) -> dict[str, Code]:
    return {f"DPC{n}": Code(f"DPC{n}", severity, title) for n, title in titles.items()}


_DOCUMENTS = {
    101: "the file cannot be read",
    102: "the file is not UTF-8 text",
    103: "the file is empty",
    104: "the JSON is broken",
    105: "this is another kind of file",
    106: "a key stands twice",
    107: "a number that cannot be used",
    108: "nested too deeply",
    109: "the file is too large",
    110: "a string that is not valid Unicode",
    111: "the top level is not an object",
    112: "a value that JSON does not have",
    113: "a file cannot be written",
    114: "the TOML is broken",
    115: "a quote that is not closed",
    116: "a list that is not closed",
    117: "two settings on one line",
    118: "TOML that the trainer does not read as it is written",
    119: "a key or a table stands twice in the TOML",
}
_JOB = {
    201: "unknown field in the job",
    202: "a required field is missing",
    203: "a value of the wrong type",
    204: "a value that is not one of the choices",
    205: "a value out of range",
    206: "unknown model",
    207: "unknown preset",
    208: "unknown training setting",
    209: "a name that could mean several settings",
    210: "a setting in the wrong table",
    211: "a setting of another model type",
    212: "several values for one setting",
    213: "a setting that dpcompile makes itself",
    214: "a setting of another trainer",
    217: "passthrough that cannot be used",
    218: "a setting that the trainer never acts on",
    219: "no data to train on",
    221: "an address that cannot be used",
    222: "a job id that cannot name a folder",
    223: "--set that cannot be used",
    224: "LoRA alpha cannot be set",
    225: "a secret where it would be seen",
    226: "a volume path that cannot be used",
    230: "a required setting was taken away",
    231: "a secret that would not reach the worker",
    232: "a training that the model does not have",
    233: "trainings of one job that need different datasets",
    234: "folders trained in place, with what would change their files",
    235: "evaluation sets that share a name",
}
_SPEC = {
    301: "the model spec is not readable YAML",
    302: "the model spec does not fit its schema",
    303: "two model specs share a name",
    304: "the spec extends something that cannot be extended",
    305: "the spec sets something that its model does not take",
    306: "the spec is not complete",
    307: "a key stands twice in the spec",
    308: "the specs folder cannot be read",
}
_RENDER = {
    501: "a value that TOML cannot carry to the trainer",
    502: "a key that TOML cannot carry to the trainer",
    504: "the rendered file does not say what was meant",
    505: "a secret would have entered a file",
}
# What only the media and their captions show.
_DATASET_ERRORS = {
    601: "a folder of the dataset is not there",
    602: "a folder without media",
    603: "nothing is left to train on",
    604: "an animated WebP",
    605: "a control image that is missing or cannot be used",
    606: "a mask that does not fit",
    607: "captions.json cannot be used",
    608: "a caption that is not UTF-8 text",
    609: "a video with fewer frames than its header says",
    610: "files that the model cannot train on",
    611: "a file without a caption",
    612: "an evaluation set without a whole batch",
    613: "a folder that stands twice in the dataset",
    614: "a dataset file that the trainer stops at",
    615: "a file that cannot be decoded",
    616: "a size beyond what the model has positions for",
    617: "edit pairs and plain files in one step",
    618: "videos with and without sound in one batch",
}
_DATASET_WARNINGS = {
    620: "a video that is too short",
    621: "a bucket that is smaller than a batch",
    622: "items left over when buckets are divided into batches",
    623: "a file that cannot be opened",
    624: "captions that nothing reads",
    625: "a file that is taken for something else",
    626: "media that are trained on their side",
    629: "videos that take much memory to prepare",
    631: "a control image of another shape",
    632: "files that stand in the dataset twice",
    633: "captions without the trigger word",
    634: "sub-folders that are not searched",
    635: "media that lose much to cropping",
    636: "a caption that says nothing, or begins with a mark",
    637: "a video that does not say how long it is",
}
_DATASET_NOTES = {
    627: "media that are enlarged",
    628: "a video that is trained in part",
    638: "an epoch that several resolutions make longer",
    639: "videos without sound, for a model that trains it",
}
# What only a run shows; the worker tells these.
_RUN = {
    700: "a plan that cannot be run",
    701: "a secret that the run cannot do without is missing",
    702: "the job id belongs to another job",
    703: "another worker is running the job",
    704: "the disk is full",
    705: "the machine refused what a step needs",
    706: "the volume is not there",
    707: "the run was stopped",
    708: "the state of a job cannot be read",
    709: "a bug in the worker",
    710: "the data cannot be downloaded",
    711: "the data is not given out",
    712: "an address that a job may not reach",
    713: "an archive that cannot be unpacked",
    714: "more data than the worker takes",
    715: "nothing to train on",
    716: "no room for the data",
    717: "data that would be trained as something else",
    718: "another worker has the data in hand",
    719: "data on the volume that cannot be used",
    720: "the captioner cannot be used",
    721: "media without a caption",
    722: "a caption file that cannot be read",
    723: "Gemini does not accept the key or the model",
    724: "Gemini cannot be used now",
    725: "the captioner died",
    730: "a model that cannot be downloaded",
    731: "a model or file that does not exist",
    732: "a gated model that may not be read",
    733: "a token that the Hub does not accept",
    734: "too little space for the models",
    735: "a model file that cannot be put in its place",
    740: "the trainer could not be started",
    741: "the trainer hung",
    742: "the GPU ran out of memory",
    743: "the machine ran out of memory",
    744: "the loss is no number any more",
    745: "a file that the training needs is missing",
    746: "no room for what the trainer writes",
    747: "the trainer failed",
    748: "the trainer ended without completing the training",
    749: "the machine lacks something that the trainer needs",
    750: "there is no such run to go on with",
    751: "a dataset folder cannot be written",
    752: "a resumed training began again at its start",
    753: "the trained model is not whole",
    754: "a signal file ended the training",
    755: "a model file is damaged",
    756: "a model file that the training cannot use",
    757: "encoded data that another training needs",
    760: "no target took the result",
    761: "there is no whole model to publish",
    762: "a secret stands in the model",
}
_CHECK_ERRORS = {
    401: "the model cannot train this kind of adapter",
    402: "the model cannot be fully fine-tuned",
    403: "float8 weights in a full fine-tune",
    404: "an adapter option of the other adapter type",
    405: "this adapter option does nothing for this model",
    406: "a LoKr adapter cannot start from an existing one",
    408: "an existing adapter that cannot be loaded",
    411: "unknown optimizer",
    412: "the optimizer does not take this argument",
    413: "the optimizer needs this argument",
    414: "an optimizer that cannot work in the trainer",
    415: "gradient_release cannot be used here",
    416: "beta2_half_life needs betas",
    417: "an empty range of timesteps",
    418: "two settings exclude each other",
    421: "nothing says when to save",
    424: "block swapping cannot be used here",
    425: "more blocks to swap than the model has",
    426: "the GPUs cannot be divided into pipeline stages",
    427: "a pipeline split that does not fit",
    429: "float8 for what is computed or trained",
    430: "wandb needs more settings",
    431: "this loss is not used by the model",
    432: "a setting that needs another one",
    435: "reentrant checkpointing that breaks block swapping",
    436: "a rank too small for Muon",
    438: "an interval shorter than one step",
    440: "a learning rate that would come out differently",
    441: "media that the model cannot train on",
    442: "too many resolutions",
    443: "size_buckets that put media into the wrong bucket",
    444: "a range of aspect ratios cut down to one",
    445: "control images for a model that cannot use them",
    447: "masks for a model that cannot use them",
    448: "evaluation data that cannot be made",
    451: "launch settings that do not fit",
    452: "no place for the result",
    453: "media that no bucket takes",
    456: "a resolution that would be cropped to a square",
    457: "a size that the model does not take",
    459: "a value that another setting rules out",
    461: "more examples a step than the model can take",
    463: "a side longer than the model has positions for",
    466: "sizes that come to nothing",
}
_WARNINGS = {
    216: "a setting passed through unchecked",
    220: "data that is not used",
    227: "a field that has no effect",
    407: "the existing adapter decides its own settings",
    419: "an optimizer that needs care",
    420: "a schedule that does not do what it seems",
    423: "float16 without loss scaling",
    428: "an evaluation that never takes place",
    433: "settings that force_constant_lr overrides",
    434: "a path relative to the trainer's folder",
    437: "a setting that is hardly ever left out",
    439: "a setting that has no effect here",
    446: "a length or size that the model rounds",
    449: "a setting that repeats work at each start",
    450: "a setting for videos, and no videos",
    454: "counting examples with batches of several sizes",
    455: "a caption prefix that runs into the caption",
    458: "a value that works badly for the model",
    460: "a full fine-tune that is saved without parts of the model",
    462: "a model that the trainer fails on, whatever the settings",
    464: "edit pairs and plain files that may meet in a step",
    465: "a part of the loss that does not follow all settings",
}
_NOTES = {
    215: "another name for a setting",
    228: "a field of RunPod's own",
    229: "an empty value",
}

CODES: dict[str, Code] = dict(
    sorted(
        {
            **_codes("error", {**_DOCUMENTS, **_JOB, **_SPEC, **_RENDER, **_CHECK_ERRORS, **_DATASET_ERRORS, **_RUN}),
            **_codes("warning", {**_WARNINGS, **_DATASET_WARNINGS}),
            **_codes("info", {**_NOTES, **_DATASET_NOTES}),
        }.items()
    )
)


def finding(
    code: str,
    path: str,
    message: str,
    hint: str = "",
    *,
    file: str | None = None,
    severity: Severity | None = None,
) -> Diagnostic:
    """A diagnostic with the severity that its code has, unless another is given.

    Raises KeyError for a code that is not registered.
    """
    return Diagnostic(
        code=code,
        severity=severity or CODES[code].severity,
        path=path,
        message=message,
        hint=hint,
        file=file,
    )
