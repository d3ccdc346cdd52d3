"""Captions of videos with Google's own client, against a Gemini on this machine, with everything that goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpcompile.plan import SecretNeed, Step
from tests.worker.doubles.gemini import GeminiServer, Refusal, blocked_prompt, broken_off
from tests.worker.modelruns import Run, a_plan, plain_settings
from worker.errors import StepFailed, Stopped
from worker.secretstore import SecretStore
from worker.steps import caption

KEY = "AIza-0123456789-secret"
NEED = SecretNeed(name="gemini_api_key", pointer="/api_keys/gemini_api_key", env=("GEMINI_API_KEY",), required=True)


@pytest.fixture
def gemini() -> Iterator[GeminiServer]:
    with GeminiServer(KEY) as gemini:
        yield gemini


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three small videos; to this Gemini a video is whatever its bytes say."""
    folder = tmp_path / "work" / "datasets" / "d"
    folder.mkdir(parents=True)
    for name in ("a.mp4", "b.mov", "c.webm"):
        (folder / name).write_bytes(f"video {name}".encode())
    return folder


def a_run(gemini: GeminiServer, folder: Path, *, key: str | None = KEY, **args: Any) -> Run:
    rehearse = args.pop("rehearse", False)
    given = {
        "folder": str(folder),
        "media": "videos",
        "captioner": "gemini",
        "settings": {"model": "gemini-x", "prompt": "What is it?"},
        "overwrite": False,
        "trigger_word": None,
        "missing_caption": "error",
        **args,
    }
    volume = folder.parents[2]
    step = Step(id="caption-videos", kind="caption", needs=(), args=given)
    environ = {"HOME": str(volume), "GEMINI_API_KEY": "not-this-one"}
    settings = plain_settings(environ, gemini_base_url=gemini.url, gemini_requests_per_minute=0.0, rehearse=rehearse)
    secrets = SecretStore({"gemini_api_key": key} if key else {}, [NEED])
    return Run(plan=a_plan(volume, [step], secrets=(NEED,)), settings=settings, secrets=secrets)


def captions(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in folder.glob("*.txt")}


def failure(run: Run) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        run.do("caption-videos", caption.run)
    return caught.value


def test_every_video_is_uploaded_described_and_deleted(gemini: GeminiServer, folder: Path) -> None:
    run = a_run(gemini, folder, trigger_word="ohwx person")

    result = run.do("caption-videos", caption.run)

    assert captions(folder) == {
        "a.txt": "ohwx person, It shows b'video a.mp4'.",
        "b.txt": "ohwx person, It shows b'video b.mov'.",
        "c.txt": "ohwx person, It shows b'video c.webm'.",
    }
    assert (result["media"], result["captioned"], result["written"], result["with_trigger_word"]) == (3, 3, 3, 3)
    assert gemini.files == {}
    prompts = {part.get("text") for body in gemini.asked for c in body["contents"] for part in c["parts"]}
    assert "What is it?" in prompts
    assert sorted(path.name for path in folder.iterdir()) == ["a.mp4", "a.txt", "b.mov", "b.txt", "c.txt", "c.webm"]


def test_captions_that_are_there_cost_nothing(gemini: GeminiServer, folder: Path) -> None:
    a_run(gemini, folder).do("caption-videos", caption.run)
    gemini.requests.clear()
    result = a_run(gemini, folder).do("caption-videos", caption.run)
    assert gemini.requests == []
    assert (result["captioned"], result["written"]) == (3, 0)


def test_too_many_requests_are_waited_out_as_long_as_the_service_says(gemini: GeminiServer, folder: Path) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
    gemini.refusals.append(Refusal(match="generateContent", code=429, status="RESOURCE_EXHAUSTED", details=[info]))
    gemini.refusals.append(Refusal(match="/upload/", code=503, status="UNAVAILABLE"))
    gemini.refusals.append(Refusal(match="/v1/files/", code=500, status="INTERNAL"))
    a_run(gemini, folder).do("caption-videos", caption.run)
    assert len(captions(folder)) == 3
    assert gemini.files == {}


def test_a_quota_that_is_used_up_for_today_is_told_at_once(gemini: GeminiServer, folder: Path) -> None:
    quota = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerDay"}]}
    refusal = Refusal(match="generateContent", code=429, status="RESOURCE_EXHAUSTED", times=9, details=[quota])
    gemini.refusals.append(refusal)
    failed = failure(a_run(gemini, folder))
    assert failed.code == "DPC724"
    assert failed.message == "the quota of Gemini is used up: made to fail"
    assert gemini.files == {}, "what was uploaded is deleted all the same"


def test_a_refused_video_is_named_with_the_reason_and_the_others_have_captions(
    gemini: GeminiServer, folder: Path
) -> None:
    (folder / "d.mp4").write_bytes(b"unreadable")

    def describe(content: bytes) -> dict[str, Any]:
        if content == b"video a.mp4":
            return blocked_prompt()
        return broken_off("SAFETY") if content == b"video b.mov" else broken_off("STOP", "A cat.")

    gemini.describe = describe

    failed = failure(a_run(gemini, folder))

    assert failed.code == "DPC721"
    assert failed.message == (
        "3 of 4 media files have no caption: a.mp4 (Gemini refused it (PROHIBITED_CONTENT)); "
        "b.mov (Gemini broke off its answer (SAFETY)); d.mp4 (Gemini cannot read it (no reason given))"
    )
    assert captions(folder) == {"c.txt": "A cat."}
    assert gemini.files == {}


def test_a_caption_that_was_cut_off_ends_with_a_whole_sentence(gemini: GeminiServer, folder: Path) -> None:
    gemini.describe = lambda _content: broken_off("MAX_TOKENS", "A cat sits.\n\nIt looks at the")
    a_run(gemini, folder).do("caption-videos", caption.run)
    assert set(captions(folder).values()) == {"A cat sits."}


def test_an_empty_answer_is_asked_for_again_and_then_told(gemini: GeminiServer, folder: Path) -> None:
    gemini.describe = lambda content: broken_off("STOP", "" if content == b"video a.mp4" else "A cat.")
    failed = failure(a_run(gemini, folder))
    assert failed.message == "1 of 3 media files have no caption: a.mp4 (Gemini's answer was empty)"
    assert len(gemini.asked) == 4


def test_a_key_that_is_not_accepted_is_found_before_anything_is_uploaded(gemini: GeminiServer, folder: Path) -> None:
    run = a_run(gemini, folder, key="AIza-wrong-key-000000")
    failed = failure(run)
    assert failed.code == "DPC723"
    assert failed.message == "Gemini does not accept the key: API key not valid. Please pass a valid API key."
    assert [path for _verb, path in gemini.requests] == ["/v1/models/gemini-x"]
    assert "AIza" not in f"{failed.message}{failed.hint}{failed.output_tail}{run.told}"


def test_no_key_at_all(gemini: GeminiServer, folder: Path) -> None:
    failed = failure(a_run(gemini, folder, key=None))
    assert (failed.code, failed.message) == ("DPC701", "gemini_api_key is missing: videos are described by Gemini")


def test_a_model_that_does_not_exist(gemini: GeminiServer, folder: Path) -> None:
    failed = failure(a_run(gemini, folder, settings={"model": "gemini-0", "prompt": "x"}))
    assert failed.code == "DPC723"
    assert failed.message.startswith("Gemini does not have the model: models/gemini-0 is not found")


def test_asking_to_stop_deletes_what_was_uploaded_and_keeps_what_is_finished(
    gemini: GeminiServer, folder: Path
) -> None:
    run = a_run(gemini, folder)
    hold, reached = threading.Event(), threading.Event()

    def answer_slowly(path: str) -> None:
        if "generateContent" in path and reached.is_set():
            hold.wait(timeout=60)
        elif "generateContent" in path:
            reached.set()

    gemini.before_answer = answer_slowly

    def stop_after_the_first() -> None:
        while not captions(folder):
            run.stop.wait(0.05)
        run.stop.request("cancelled")
        run.stop.wait(1.0)
        hold.set()

    waiting = threading.Thread(target=stop_after_the_first)
    waiting.start()
    with pytest.raises(Stopped):
        run.do("caption-videos", caption.run)
    hold.set()
    waiting.join()

    assert gemini.files == {}
    assert captions(folder)
    gemini.before_answer = lambda _path: None
    a_run(gemini, folder).do("caption-videos", caption.run)
    assert len(captions(folder)) == 3


def test_a_rehearsal_tries_the_key_and_writes_stand_ins_that_a_real_run_replaces(
    gemini: GeminiServer, folder: Path
) -> None:
    a_run(gemini, folder, rehearse=True).do("caption-videos", caption.run)
    assert [path for _verb, path in gemini.requests] == ["/v1/models/gemini-x"]
    assert captions(folder)["a.txt"] == "A stand-in for a caption, written in a rehearsal: a.mp4."
    assert failure(a_run(gemini, folder, rehearse=True, key="AIza-wrong-key-000000", trigger_word="x")).code == "DPC723"

    result = a_run(gemini, folder).do("caption-videos", caption.run)

    assert result["written"] == 3
    assert captions(folder)["a.txt"] == "It shows b'video a.mp4'."
