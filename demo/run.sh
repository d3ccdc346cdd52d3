#!/usr/bin/env bash
# Compiles jobs for several models, shows one result, where its values come from, and a job with mistakes; then
# rehearses a whole job on a few pictures, from fetching them to publishing the result to a folder.
# Usage: demo/run.sh [FOLDER]. The files go to FOLDER, or to demo/out. Ends with 1 if anything is amiss.
set -euo pipefail
mkdir -p "${1:-$(dirname "$0")/out}"
out=$(cd "${1:-$(dirname "$0")/out}" && pwd)
cd "$(dirname "$0")"
unset NETWORK_VOLUME DPCOMPILE_SPECS

heading() { printf '\n== %s\n\n' "$1"; }
fail() {
    printf 'demo: %s\n' "$1" >&2
    exit 1
}
show() {
    printf '$ %s\n\n' "$*"
    "$@"
}

command -v dpcompile >/dev/null || fail "there is no dpcompile here; run it by: make demo"

heading "Jobs for several models, compiled"
for model in flux sdxl wan13 wan14b_t2v wan14b_i2v qwen z_image_turbo; do
    dpcompile render "$model.json" --out "$out/$model" 2>"$out/messages" || {
        cat "$out/messages" >&2
        fail "$model.json should compile"
    }
    printf '%-20s ok  %s\n' "$model.json" "$(cd "$out/$model" && echo *)"
done

heading "What a user writes"
show cat wan13.json

heading "What the trainer gets"
show dpcompile render wan13.json

heading "Where values come from"
show dpcompile why wan13.json train.epochs train.adapter train.optimizer dataset.frame_buckets

heading "A job with mistakes"
show cat broken.json

heading "What is said about it"
code=0
show dpcompile check broken.json >"$out/messages" 2>&1 || code=$?
fold -s -w 80 "$out/messages" | sed 's/ *$//'
[ "$code" -eq 1 ] || fail "broken.json should end with exit code 1, not $code"
grep -q 'broken.json:[0-9]*:[0-9]*: error DPC210: .*blocks_to_swap' "$out/messages" ||
    fail "the misplaced blocks_to_swap was not told"

heading "A whole job, rehearsed: everything but the GPU"
volume=$out/volume
rm -rf "$volume"
mkdir "$volume"
cp -R photos "$volume/photos"
show cat rehearsal.json
show python -m worker run rehearsal.json --specs specs --volume "$volume" --job-id demo --rehearse 2>&1
job=$volume/diffusion_pipe_working_folder/jobs/demo-rehearsal
show ls "$job/published"
[ -s "$job/published/REHEARSAL.txt" ] || fail "the rehearsal's result is not marked as one"

heading "What it told on the way, as the last events of $(basename "$job")/events.jsonl"
tail -n 6 "$job/events.jsonl" | cut -c 1-96

heading "The same command again: what is finished is not done twice"
show python -m worker run rehearsal.json --specs specs --volume "$volume" --job-id demo --rehearse 2>&1

rm "$out/messages"
heading "All as it should be. The files of all jobs are in $out"
