"""The child process that talks to the Hub and to web servers: `python -m worker.modelstore.child`.

It looks sources up, or downloads files into a folder of its own and verifies them. Whatever goes wrong with
the other side is told as a failure with a `kind` of FAILURES; only mistakes of ours end it with a traceback.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from worker.childprocess import Tell, serve
from worker.modelstore import hub, web
from worker.modelstore.sources import WantedFile
from worker.stopping import Stop

_LOOKUPS = 8
_DOWNLOADS = 4


def work(request: dict[str, Any], tell: Tell, _stop: Stop) -> None:
    """Does what the request asks: `look_up` its sources, or `download` its files."""
    if request["do"] == "look_up":
        _look_up(request, tell)
    else:
        _download(request, tell)


def _look_up(request: dict[str, Any], tell: Tell) -> None:
    def ask(source: dict[str, Any]) -> dict[str, Any]:
        return web.look_up(source) if source["url"] else hub.look_up(source, request["token"])

    with ThreadPoolExecutor(_LOOKUPS) as pool:
        asked = {pool.submit(ask, source): number for number, source in enumerate(request["sources"])}
        for done in as_completed(asked):
            tell({"source": asked[done], **done.result()})


def _download(request: dict[str, Any], tell: Tell) -> None:
    source, folder = request["source"], Path(request["folder"])

    def bring(file: WantedFile) -> None:
        path = folder / ("file" if source["url"] else file.path)
        if source["url"]:
            failure = web.download(source, file, path)
        else:
            failure = hub.download(source, request["commit"], file, folder, request["token"])
        if failure is None:
            tell({"verifying": file.path})
            if not file.matches(path, lambda: tell({"verifying": file.path})):
                path.unlink()
                failure = {"kind": "corrupt", "detail": f"{file.path} is not what it should be"}
        tell({"failure": failure, "file": file.path} if failure else {"done": file.path, "path": str(path)})

    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        wanted = [pool.submit(bring, WantedFile(**file)) for file in request["files"]]
        for done in as_completed(wanted):
            done.result()


if __name__ == "__main__":
    serve(work)
