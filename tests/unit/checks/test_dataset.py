"""The dataset file: which media go into which buckets, and with which captions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import ADDRESS, JobCheck, dataset

NO_MASKS = """
name: my_model
title: My Model
extends: qwen
media: {masks: false}
"""
CHUNKS = """
name: my_model
title: My Model
extends: wan13
media: {frame_rule: {multiple: 17, offset: 0}}
"""


@pytest.mark.parametrize(
    ("model", "data", "place"),
    [
        ("wan14b_i2v", "images", "/dataset/images_url"),
        ("wan14b_i2v", "both", "/dataset/images_url"),
        ("flux", "videos", "/dataset/videos_url"),
        ("sdxl", {"type": "precaptioned", "videos_url": ADDRESS}, "/dataset/videos_url"),
        (
            "qwen",
            {"type": "images", "images_url": ADDRESS, "eval": {"videos_url": ADDRESS}},
            "/dataset/eval/videos_url",
        ),
        ("wan14b_i2v", {"type": "images", "images_url": ADDRESS, "eval": {"fraction": 0.1}}, "/dataset/images_url"),
    ],
)
def test_media_that_the_model_cannot_train_on(check: JobCheck, model: str, data: Any, place: str) -> None:
    found = check(model, data=data)

    assert (found.only.code, found.only.path) == ("DPC441", place)
    assert "dpcompile models" in found.only.hint


@pytest.mark.parametrize(("model", "data"), [("wan13", "both"), ("wan13", "images"), ("wan14b_i2v", "videos")])
def test_media_that_the_model_trains_on(check: JobCheck, model: str, data: str) -> None:
    assert check(model, data=data).codes == []


@pytest.mark.parametrize(
    ("training", "code", "place"),
    [
        ({"resolution": [256, 512, 768, 1024]}, "DPC442", "/training/resolution"),
        ({"directory": {"resolutions": [256, 512, 768, 1024]}}, "DPC442", "/training/directory/resolutions"),
        ({"resolution": [[1280, 720]], "enable_ar_bucket": False}, "DPC456", "/training/resolution/0"),
        ({"num_ar_buckets": 1}, "DPC444", "/training/num_ar_buckets"),
        ({"enable_ar_bucket": False, "min_ar": 0.5}, "DPC439", "/training/min_ar"),
        ({"size_buckets": [[512, 512, 1], [768, 512, 1], [512, 768, 1]]}, "DPC443", "/training/size_buckets"),
        ({"size_buckets": [[500, 512, 1]]}, "DPC446", "/training/size_buckets/0"),
        ({"frame_buckets": [1, 33]}, "DPC450", "/training/frame_buckets"),
        ({"video_clip_mode": "single_middle"}, "DPC450", "/training/video_clip_mode"),
        ({"cache_shuffle_num": 2}, "DPC449", "/training/cache_shuffle_num"),
        ({"directory": {"shuffle_tags": True}}, "DPC449", "/training/directory/shuffle_tags"),
        ({"cache_shuffle_delimiter": "; "}, "DPC439", "/training/cache_shuffle_delimiter"),
        ({"caption_prefix": "ohwx"}, "DPC455", "/training/caption_prefix"),
    ],
)
def test_told_of_images(check: JobCheck, training: dict[str, Any], code: str, place: str) -> None:
    found = check("sdxl", training)

    assert (found.only.code, found.only.path) == (code, place)


@pytest.mark.parametrize(
    "training",
    [
        {"resolution": [512, 768, 1024]},
        {"resolution": [[1280, 720]]},
        {"resolution": [[512, 512]], "enable_ar_bucket": False},
        {"enable_ar_bucket": False},
        {"num_ar_buckets": 1, "min_ar": 1.0, "max_ar": 1.0},
        {"ar_buckets": [1.0]},
        # The trainer sorts the ratios.
        {"min_ar": 2.0, "max_ar": 0.5},
        {"size_buckets": [[512, 768, 1], [768, 512, 1]]},
        {"size_buckets": [[512, 768, 1]]},
        {"frame_buckets": [1]},
        {"video_clip_mode": "single_beginning"},
        {"cache_shuffle_num": 0, "shuffle_tags": False},
        {"caption_prefix": "ohwx, "},
        {"caption_prefix": ""},
    ],
)
def test_images_left_in_peace(check: JobCheck, training: dict[str, Any]) -> None:
    assert check("sdxl", training).codes == []


@pytest.mark.parametrize(
    ("data", "training", "code", "place"),
    [
        ("videos", {"frame_buckets": [1, 30]}, "DPC446", "/training/frame_buckets"),
        ("both", {"directory": {"frame_buckets": [34]}}, "DPC446", "/training/directory/frame_buckets"),
        ("videos", {"size_buckets": [[512, 512, 30]]}, "DPC446", "/training/size_buckets/0"),
        ("videos", {"frame_buckets": [1]}, "DPC453", "/training/frame_buckets"),
        ("videos", {"frame_buckets": None}, "DPC453", "/training/frame_buckets"),
        ("both", {"frame_buckets": []}, "DPC453", "/training/frame_buckets"),
        ("videos", {"size_buckets": [[512, 512, 1]]}, "DPC453", "/training/size_buckets"),
        ("both", {"size_buckets": [[512, 512, 33]]}, "DPC453", "/training/size_buckets"),
        ("videos", {"size_buckets": [[832, 480, 33], [480, 832, 33]]}, "DPC443", "/training/size_buckets"),
        ("videos", {"size_buckets": [[512, 512, 33], [512, 512, 17]]}, "DPC443", "/training/size_buckets"),
    ],
)
def test_told_of_videos(check: JobCheck, data: str, training: dict[str, Any], code: str, place: str) -> None:
    found = check("wan13", training, data=data)

    assert (found.only.code, found.only.path) == (code, place)


@pytest.mark.parametrize(
    ("data", "training"),
    [
        ("videos", {"frame_buckets": [1, 17, 33, 81]}),
        ("videos", {"frame_buckets": [33]}),
        ("both", {"video_clip_mode": "single_middle"}),
        ("both", {"size_buckets": [[480, 832, 33], [832, 480, 1]]}),
        ("images", {"size_buckets": [[512, 512, 1]]}),
    ],
)
def test_videos_left_in_peace(check: JobCheck, data: str, training: dict[str, Any]) -> None:
    assert check("wan13", training, data=data).codes == []


def test_lengths_that_fit_are_named(check: JobCheck) -> None:
    found = check("wan13", {"frame_buckets": [1, 30, 80]}, data="videos").only

    assert "30 and 80 are shortened to 29 and 77" in found.message
    assert found.hint == "Write 29 and 77, or 33 and 81 if the clips are long enough."


def test_lengths_without_remainder(check: JobCheck) -> None:
    found = check("my_model", {"frame_buckets": [1, 34, 40]}, data="videos", spec=CHUNKS).only

    assert found.hint == "Write 34, or 51 if the clips are long enough."


def test_size_buckets_that_only_need_another_order(check: JobCheck) -> None:
    found = check("wan13", {"size_buckets": [[832, 480, 33], [480, 832, 33]]}, data="videos").only

    assert found.hint == "Write them in this order: [[480, 832, 33], [832, 480, 33]]."


def test_size_buckets_that_no_order_helps(check: JobCheck) -> None:
    found = check("wan13", {"size_buckets": [[512, 512, 33], [512, 512, 17]]}, data="videos").only

    assert "frame_buckets" in found.hint


def test_side_of_the_square_is_told(check: JobCheck) -> None:
    found = check("sdxl", {"resolution": [[512, 288]], "enable_ar_bucket": False}).only

    assert "384 x 384" in found.message


def test_a_wrong_address_is_no_missing_video(check: JobCheck) -> None:
    data = {"type": "both", "images_url": ADDRESS, "videos_url": "ftp://example.com/a.zip"}

    assert check("wan13", {"frame_buckets": [1, 33]}, data=data).codes == ["DPC221"]


def test_videos_that_are_only_evaluated(check: JobCheck) -> None:
    data = {"type": "images", "images_url": ADDRESS, "eval": {"videos_url": ADDRESS}}

    assert check("wan13", {"frame_buckets": [1, 33]}, data=data).codes == []


@pytest.mark.parametrize(("model", "codes"), [("flux", []), ("qwen", []), ("sdxl", ["DPC445"]), ("wan13", ["DPC445"])])
def test_edit_pairs(check: JobCheck, model: str, codes: list[str]) -> None:
    assert check(model, {"directory": {"control_path": "/runpod-volume/before"}}).codes == codes


def test_masks(check: JobCheck) -> None:
    training = {"directory": {"mask_path": "/runpod-volume/masks"}}

    assert check("qwen", training).codes == []
    found = check("my_model", training, spec=NO_MASKS).only
    assert (found.code, found.path) == ("DPC447", "/training/directory/mask_path")


def test_shuffled_captions_with_a_trusted_cache(check: JobCheck) -> None:
    assert check("sdxl", {"cache_shuffle_num": 2}, launch={"trust_cache": True}).codes == []


def test_delimiter_of_shuffled_captions(check: JobCheck) -> None:
    training = {"cache_shuffle_num": 2, "cache_shuffle_delimiter": "; "}

    assert check("sdxl", training, launch={"trust_cache": True}).codes == []


def test_prefix_is_shown_as_it_would_stand(check: JobCheck) -> None:
    found = check("sdxl", {"caption_prefix": "ohwx"}).only

    assert "ohwxa photo" in found.message
    assert found.hint == 'Write "ohwx, ".'


def test_a_wrong_value_is_told_once(check: JobCheck) -> None:
    assert check("wan13", {"frame_buckets": [1, "33"]}, data="videos").codes == ["DPC203"]
    assert check("sdxl", {"resolution": "512,768,1024,512"}).codes == ["DPC203"]


@pytest.mark.parametrize(
    ("data", "preset", "hint"),
    [
        ("videos", None, 'Use the preset "videos".'),
        ("both", None, 'Use the preset "videos". Train the images in a job of their own.'),
        ("both", "videos", "Train them in a job of their own."),
        ("images", "videos", "Train them in a job of their own."),
    ],
)
def test_kinds_that_fixed_sizes_leave_out(check: JobCheck, data: str, preset: str | None, hint: str) -> None:
    found = check("cosmos_7b", data=data, preset=preset).only

    assert (found.code, found.hint) == ("DPC453", hint)


@pytest.mark.parametrize(
    ("model", "training", "data", "evaluated", "word"),
    [
        ("wan13", {"frame_buckets": [1]}, "images", "videos", "every video of the evaluation set"),
        ("wan13", {"frame_buckets": None}, "images", "videos", "every video of the evaluation set"),
        ("wan13", {"size_buckets": [[512, 512, 1]]}, "images", "videos", "every video of the evaluation set"),
        ("wan13", {"size_buckets": [[512, 512, 33]]}, "videos", "images", "every image of the evaluation set"),
        ("cosmos_7b", {}, "images", "videos", "every video of the evaluation set"),
    ],
)
def test_evaluation_data_needs_buckets_too(
    check: JobCheck, model: str, training: dict[str, Any], data: str, evaluated: str, word: str
) -> None:
    whole = {**dataset(data), "eval": {f"{evaluated}_url": "https://example.com/e.zip"}}

    found = check(model, training, data=whole).only

    assert found.code == "DPC453"
    assert word in found.message
    assert check(model, training, data={**dataset(data), "eval": {"fraction": 0.1}}).codes == []


def test_a_length_that_is_proposed_fits_the_model(check: JobCheck) -> None:
    assert check("minimax_h3", {"frame_buckets": [1]}, data="videos").only.hint.endswith("[1, 34].")
    assert check("wan13", {"frame_buckets": [1]}, data="videos").only.hint.endswith("[1, 33].")
    shortened = check("ltx2", {"frame_buckets": [1, 5, 16]}, data="videos").only
    assert (shortened.code, shortened.hint) == ("DPC446", "Write 9, or 9 and 17 if the clips are long enough.")
    assert "the frame buckets 5 and 16 are shortened to 1 and 9" in shortened.message


@pytest.mark.parametrize(
    ("prefix", "hint"), [("ohwx", 'Write "ohwx, ".'), ("ohwx.", 'Write "ohwx. ".'), ("x,", 'Write "x, ".')]
)
def test_prefix_that_runs_into_the_caption(check: JobCheck, prefix: str, hint: str) -> None:
    found = check("sdxl", {"caption_prefix": prefix}).only

    assert (found.code, found.hint) == ("DPC455", hint)


@pytest.mark.parametrize("prefix", ["ohwx, ", "ohwx\n", "(", "#"])
def test_prefix_that_does_not(check: JobCheck, prefix: str) -> None:
    assert check("sdxl", {"caption_prefix": prefix}).codes == []


@pytest.mark.parametrize(
    ("first", "second", "places"),
    [
        ([1], None, []),
        # Unlike folders leave the evaluation set what is said for all of them.
        ([1, 33], [1, 17], ["/training/frame_buckets"]),
        ([1], [1], ["/dataset/directories/0/frame_buckets"]),
    ],
)
def test_evaluation_videos_beside_folders_with_buckets_of_their_own(
    check: JobCheck, first: list[int], second: list[int] | None, places: list[str]
) -> None:
    folders = [{"path": "/a", "frame_buckets": first}, {"path": "/b", **({"frame_buckets": second} if second else {})}]
    data = {"type": "precaptioned", "directories": folders, "eval": {"videos_url": "https://example.com/e.zip"}}
    training = {"frame_buckets": [1]} if first == [1, 33] else {}

    assert check("wan13", training, data=data).places("DPC453") == places
