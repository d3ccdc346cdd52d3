"""Where data comes from, and the folders it goes to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dpcompile.compiler import compile_job
from dpcompile.dataplan import (
    DataFolder,
    Location,
    MediaKind,
    check_data,
    check_eval,
    data_folders,
    parse_location,
    wanted_kinds,
)
from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import Document
from dpcompile.job import JobInput, read_job
from dpcompile.plan import from_json
from dpcompile.resources import DataDirs

PHOTOS, CLIPS = "https://example.com/photos.zip", "https://example.com/clips.zip"
CAPTIONING: dict[str, Any] = {"images": {"prompt": "Say it."}, "videos": {"prompt": "Tell it."}}


def job(sets: tuple[str, ...] = (), **dataset: Any) -> JobInput:
    document = Document(value={"dataset": dataset}, file="job.json", text=None)
    made, found = read_job(document, sets, None, DataDirs.default())
    assert made is not None
    assert found == ()
    return made


def folders(captioning: dict[str, Any] = CAPTIONING, **dataset: Any) -> list[DataFolder]:
    made, found = data_folders(job(**dataset), captioning)
    assert found == ()
    return list(made)


def digest(captioning: dict[str, Any] = CAPTIONING, **dataset: Any) -> str:
    """The digest of the one folder of a job."""
    [folder] = folders(captioning, **dataset)
    return folder.digest


def location(url: str) -> Location:
    place = parse_location(url, "images_url")
    assert isinstance(place, Location), place
    return place


def told(found: list[Diagnostic]) -> list[tuple[str, str, str | None]]:
    return [(d.code, d.path, d.file) for d in found]


# ---- locations


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://example.com/photos.zip", "http"),
        ("http://example.com:8080/photos.zip", "http"),
        ("https://192.168.0.1/photos.zip", "http"),
        ("https://[::1]:80/photos.zip", "http"),
        ("https://example.com", "http"),
        ("https://example.com/ümläut.zip", "http"),
        ("https://example.com/my%20photos.zip", "http"),
        ("https://huggingface.co/datasets/owner/name/resolve/main/a.zip", "http"),
        ("hf://datasets/owner/name", "hf"),
        ("hf://datasets/owner/name/", "hf"),
        ("hf://datasets/owner/my.data-set_2", "hf"),
        ("hf://datasets/owner/name@v1.0", "hf"),
        ("hf://datasets/owner/name@refs/pr/1", "hf"),
        ("hf://datasets/owner/name@main/sub folder/a.zip", "hf"),
        ("hf://datasets/owner/name/train/*.jpg", "hf"),
        ("s3://bucket/key.zip", "s3"),
        ("s3://my.bucket-2/a/b/c.zip", "s3"),
        ("s3://bucket/folder/", "s3"),
        ("/runpod-volume/photos", "path"),
        ("photos", "path"),
        ("./photos.zip", "path"),
        ("my photos/2024", "path"),
        ("photos..old/a", "path"),
        ("./example.com/a", "path"),
        ("photos.v2/a", "path"),
    ],
)
def test_every_form_of_location_is_known(url: str, kind: str) -> None:
    place = location(url)

    assert (place.kind, place.shown, place.secret) == (kind, url, None)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (" https://example.com/a.zip", "blanks at its ends"),
        ("https://example.com/a.zip\n", "blanks at its ends"),
        ("/data\x00", "control characters"),
        ("\u00a0/data", "blanks at its ends"),
        ("https://", "not a valid address"),
        ("https:///a.zip", "not a valid address"),
        ("https://example.com/a b.zip", "not a valid address"),
        ("https://example.com:99999/a.zip", "not a valid address"),
        ("https://example.com:port/a.zip", "not a valid address"),
        ("https://[::1/a.zip", "not a valid address"),
        ("https://huggingface.co/datasets/owner/name", "a page for people"),
        ("https://huggingface.co/datasets/owner/name/", "a page for people"),
        ("https://HuggingFace.co/datasets/owner/name/tree/main", "a page for people"),
        ("https://huggingface.co/datasets/owner/name/blob/main/a.zip", "a page for people"),
        ("https://hf.co/datasets/owner/name", "a page for people"),
        ("ftp://example.com/a.zip", "must start with http"),
        ("file:///data", "must start with http"),
        ("gs://bucket/key", "must start with http"),
        ("://x", "must start with http"),
        ("hf://owner/name", "hf://datasets/owner/name"),
        ("hf://datasets/owner", "hf://datasets/owner/name"),
        ("hf://datasets/owner/na me", "hf://datasets/owner/name"),
        ("hf://datasets/owner/name?a=b", "hf://datasets/owner/name"),
        ("s3://bucket", "s3://bucket/key"),
        ("s3://bucket/", "s3://bucket/key"),
        ("s3://Bucket/key", "s3://bucket/key"),
        ("s3://b/key", "s3://bucket/key"),
        ("s3://key:secret@bucket/key", "keys belong in output.s3"),
        ("s3://bucket/key?versionId=1", "s3://bucket/key"),
        ("../photos", "must not go up"),
        ("/data/../other", "must not go up"),
        ("~/photos", "begin with `~`"),
        ("C:\\photos", "forward slashes"),
        ("C:/photos", "forward slashes"),
        ("photos\\2024", "forward slashes"),
        ("https:/example.com/a.zip", "must be an address"),
        ("hf:datasets/owner/name", "must be an address"),
        ("www.example.com/a.zip", "without https://"),
        ("example.com/a.zip", "without https://"),
        ("example.com:8080/a.zip", "must be an address"),
        ("//example.com/a.zip", "without https://"),
        ("bucket.s3.amazonaws.com/a.zip", "without https://"),
    ],
)
def test_what_is_no_location_is_told_with_what_to_write(url: str, words: str) -> None:
    problem = parse_location(url, "images_url")

    assert isinstance(problem, str)
    assert words in problem


@pytest.mark.parametrize(
    "url",
    [
        "https://user:passw0rd@example.com/a.zip",
        "https://passw0rd@example.com/a.zip",
        "https://example.com/a.zip?sig=passw0rd",
        "https://example.com/a.zip?id=1#passw0rd",
    ],
)
def test_a_signed_address_is_a_secret_and_shown_without_it(url: str) -> None:
    place = parse_location(url, "eval_images_url")

    assert isinstance(place, Location)
    assert (place.shown, place.secret) == ("https://example.com/a.zip", "eval_images_url")
    assert "passw0rd" not in place.identity


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Date=c&X-Amz-Expires=1&X-Amz-Signature=d",
        "x-amz-signature=d",
        "X-Goog-Signature=d&X-Goog-Date=c",
        "AWSAccessKeyId=a&Signature=b&Expires=1",
        "GoogleAccessId=a&Expires=1&Signature=b",
        "Policy=a&Signature=b&Key-Pair-Id=c",
        "sv=2022&sr=b&sig=a&se=2&st=1&sp=r&spr=https",
        "token=abc",
    ],
)
def test_data_is_the_same_however_its_address_was_signed(query: str) -> None:
    plain = location("https://example.com/get?id=1").identity

    assert location(f"https://example.com/get?id=1&{query}").identity == plain
    assert location(f"https://example.com/get?{query}&id=1").identity == plain


@pytest.mark.parametrize(
    "other",
    [
        "https://example.com/get?id=2",
        "https://example.com/get?id=1&part=2",
        "https://example.com/get?id=1&empty=",
        "https://example.com/get?id=1&id=1",
        "https://example.com/get",
        "https://example.com/got?id=1",
        "https://example.org/get?id=1",
        "http://example.com/get?id=1",
        "https://example.com/get?signature_of=1",
    ],
)
def test_other_paths_and_parameters_are_other_data(other: str) -> None:
    assert location(other).identity != location("https://example.com/get?id=1").identity


def test_the_order_of_parameters_and_who_asks_make_no_other_data() -> None:
    one = location("https://example.com/get?a=1&b=2")
    assert one.identity == location("https://user:pw@example.com/get?b=2&a=1#top").identity


def test_a_path_is_the_same_with_a_slash_at_its_end() -> None:
    assert location("/data/photos/").identity == location("/data/photos").identity
    assert location("/data/photos").identity != location("/data/photos2").identity


def test_revisions_and_paths_on_the_hub_are_other_data() -> None:
    urls = ["hf://datasets/a/b", "hf://datasets/a/b@v1", "hf://datasets/a/b/x", "hf://datasets/a/c"]
    assert len({location(url).identity for url in urls}) == len(urls)


# ---- folders


@pytest.mark.parametrize(
    ("dataset", "kinds"),
    [
        ({"type": "images"}, ("images",)),
        ({"type": "videos"}, ("videos",)),
        ({"type": "both"}, ("images", "videos")),
        ({"type": "precaptioned", "videos_url": "/v"}, ("videos",)),
        ({"type": "precaptioned", "images_url": "/i", "videos_url": "/v"}, ("images", "videos")),
        ({"type": "precaptioned", "images_url": "", "videos_url": "/v"}, ("videos",)),
        ({"type": "precaptioned"}, ()),
        ({"type": "pictures", "images_url": "/i"}, ()),
        ({"type": ["images"]}, ()),
        ({}, ()),
    ],
)
def test_the_type_says_which_media_are_wanted(dataset: dict[str, Any], kinds: tuple[MediaKind, ...]) -> None:
    assert wanted_kinds(job(**dataset)) == kinds


def test_every_wanted_kind_gets_a_folder_and_training_comes_first() -> None:
    found = folders(
        type="both", images_url=PHOTOS, videos_url=CLIPS, eval={"images_url": "/eval/i", "videos_url": "/eval/v"}
    )

    assert [(f.kind, f.role, f.field, f.location.shown, f.split_of) for f in found] == [
        ("images", "train", ("dataset", "images_url"), PHOTOS, None),
        ("videos", "train", ("dataset", "videos_url"), CLIPS, None),
        ("images", "eval", ("dataset", "eval", "images_url"), "/eval/i", None),
        ("videos", "eval", ("dataset", "eval", "videos_url"), "/eval/v", None),
    ]
    assert len({f.digest for f in found}) == 4


def test_media_that_are_not_wanted_get_no_folder() -> None:
    assert [f.kind for f in folders(type="images", images_url=PHOTOS, videos_url=CLIPS)] == ["images"]


def test_without_an_address_there_is_no_folder() -> None:
    assert folders(type="both", images_url=None, videos_url="") == []


def test_a_fraction_splits_each_training_folder() -> None:
    images, videos, eval_images, eval_videos = folders(
        type="both", images_url=PHOTOS, videos_url=CLIPS, eval={"fraction": 0.1}
    )

    assert (eval_images.role, eval_images.kind, eval_images.split_of) == ("eval", "images", images.digest)
    assert (eval_videos.role, eval_videos.kind, eval_videos.split_of) == ("eval", "videos", videos.digest)
    assert eval_images.field == ("dataset", "eval", "fraction")
    assert len({f.digest for f in (images, videos, eval_images, eval_videos)}) == 4


BASIC: dict[str, Any] = {"type": "images", "images_url": PHOTOS}


def test_digests_name_a_folder() -> None:
    name = digest(**BASIC)
    assert len(name) == 32
    assert set(name) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "same",
    [
        BASIC,
        {**BASIC, "image_repeats": 3},
        {**BASIC, "missing_caption": "skip"},
        {**BASIC, "videos_url": CLIPS},
        {**BASIC, "trigger_word": ""},
        {**BASIC, "images_url": f"{PHOTOS}?X-Amz-Signature=abc"},
    ],
    ids=str,
)
def test_the_same_data_captioned_alike_is_the_same_folder(same: dict[str, Any]) -> None:
    assert digest(**same) == digest(**BASIC)


@pytest.mark.parametrize(
    "other",
    [
        {**BASIC, "images_url": CLIPS},
        {**BASIC, "images_url": f"{PHOTOS}?id=2"},
        {**BASIC, "trigger_word": "ohwx"},
        {**BASIC, "type": "precaptioned"},
        {"type": "videos", "videos_url": PHOTOS},
    ],
    ids=str,
)
def test_other_data_or_captions_are_another_folder(other: dict[str, Any]) -> None:
    assert digest(**other) != digest(**BASIC)


def test_a_folder_that_a_part_was_split_from_is_another_one() -> None:
    one, two, whole = (
        folders(**BASIC, eval={"fraction": 0.1})[0],
        folders(**BASIC, eval={"fraction": 0.2})[0],
        folders(**BASIC)[0],
    )
    assert len({one.digest, two.digest, whole.digest}) == 3


def test_how_images_are_captioned_makes_another_folder_of_images_only() -> None:
    both: dict[str, Any] = {"type": "both", "images_url": PHOTOS, "videos_url": CLIPS}
    other = {**CAPTIONING, "images": {"prompt": "Say more."}}

    (images, videos), (other_images, other_videos) = folders(**both), folders(other, **both)

    assert images.digest != other_images.digest
    assert videos.digest == other_videos.digest


def test_captioning_does_not_matter_for_data_that_brings_its_captions() -> None:
    assert digest({}, type="precaptioned", images_url=PHOTOS) == digest(type="precaptioned", images_url=PHOTOS)


def test_evaluation_on_the_training_data_has_a_folder_of_its_own_and_the_plan_can_be_read() -> None:
    dataset = {**BASIC, "eval": {"images_url": PHOTOS}}

    train, evaluation = folders(**dataset)
    assert train.digest != evaluation.digest
    assert train.digest == digest(**BASIC)

    plan = compile_job({"model_type": "flux", "dataset": dataset}).plan
    assert plan is not None
    assert from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_every_address_that_cannot_be_used_is_told_at_its_field() -> None:
    broken = job(type="both", images_url="ftp://a", videos_url=CLIPS, eval={"images_url": "../b", "videos_url": "C:\\"})

    made, found = data_folders(broken, CAPTIONING)

    assert [f.kind for f in made] == ["videos"]
    assert told(list(found)) == [
        ("DPC221", "/dataset/images_url", "job.json"),
        ("DPC221", "/dataset/eval/images_url", "job.json"),
        ("DPC221", "/dataset/eval/videos_url", "job.json"),
    ]
    assert all("https address" in d.hint for d in found)
    assert found[0].message.startswith("dataset.images_url must start with")


def test_an_address_that_is_not_used_is_checked_too() -> None:
    assert told(list(data_folders(job(**BASIC, videos_url="ftp://a"), {})[1])) == [
        ("DPC221", "/dataset/videos_url", "job.json")
    ]


def test_an_address_given_by_set_is_told_there() -> None:
    made = job(("dataset.images_url=ftp://a",), **BASIC)
    assert told(list(data_folders(made, {})[1])) == [("DPC221", "/dataset/images_url", "--set")]


@pytest.mark.parametrize("value", [5, ["a"], {"url": "a"}, True])
def test_what_is_no_text_is_left_to_the_schema(value: object) -> None:
    assert data_folders(job(type="images", images_url=value), {}) == ((), ())


# ---- what is missing, and what nobody uses


@pytest.mark.parametrize(
    ("dataset", "findings"),
    [
        ({"type": "images", "images_url": PHOTOS}, []),
        ({"type": "both", "images_url": PHOTOS, "videos_url": CLIPS, "video_repeats": 2}, []),
        ({"type": "precaptioned", "videos_url": CLIPS}, []),
        ({"type": "images"}, [("DPC219", "/dataset")]),
        ({"type": "images", "images_url": ""}, [("DPC219", "/dataset")]),
        ({"type": "images", "images_url": None}, [("DPC219", "/dataset")]),
        ({"type": "both"}, [("DPC219", "/dataset"), ("DPC219", "/dataset")]),
        ({"type": "both", "images_url": PHOTOS}, [("DPC219", "/dataset")]),
        ({"type": "precaptioned"}, [("DPC219", "/dataset")]),
        ({"type": "images", "images_url": PHOTOS, "videos_url": CLIPS}, [("DPC220", "/dataset/videos_url")]),
        (
            {"type": "videos", "images_url": PHOTOS},
            [("DPC219", "/dataset"), ("DPC220", "/dataset/images_url")],
        ),
        ({"type": "images", "images_url": PHOTOS, "video_repeats": 2}, [("DPC227", "/dataset/video_repeats")]),
        (
            {"type": "precaptioned", "videos_url": CLIPS, "image_repeats": 1},
            [("DPC227", "/dataset/image_repeats")],
        ),
        ({"type": "pictures"}, []),
        ({}, []),
    ],
    ids=str,
)
def test_missing_and_unused_data_is_told(dataset: dict[str, Any], findings: list[tuple[str, str]]) -> None:
    assert [(d.code, d.path) for d in check_data(job(**dataset))] == findings


def test_missing_data_is_told_by_name() -> None:
    [images, videos] = check_data(job(type="both"))

    assert "images_url" in images.message
    assert "dataset.videos_url" in videos.hint
    assert images.severity == "error"


@pytest.mark.parametrize(
    ("evaluation", "wrong"),
    [
        ({"fraction": 0.1}, False),
        ({"images_url": PHOTOS}, False),
        ({"fraction": None, "images_url": PHOTOS}, False),
        ({"fraction": 0.1, "images_url": ""}, False),
        ({"fraction": 0.1, "images_url": PHOTOS}, True),
        ({"fraction": 0.1, "videos_url": CLIPS}, True),
        (None, False),
    ],
    ids=str,
)
def test_an_evaluation_set_is_fetched_or_split_off(evaluation: object, wrong: bool) -> None:
    found = list(check_eval(job(**BASIC, eval=evaluation)))

    assert told(found) == ([("DPC448", "/dataset/eval/fraction", "job.json")] if wrong else [])
