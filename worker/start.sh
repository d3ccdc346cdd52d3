#!/usr/bin/env bash
# Starts the worker in its container: finds the volume, lays out its folders, puts the trainer and the weights of the
# image there, sees to flash-attention, and takes jobs. Usage: start.sh [COMMAND...], by default: serve
#
# NETWORK_VOLUME   the root of the volume; else /runpod-volume, else /workspace
# TRAINER_SOURCE   the image's copy of diffusion-pipe; WEIGHTS_SOURCE its folder of weights, if it has any
# TRAINER_PYTHON   the Python that the trainer runs in; else that of the worker
# FLASH_ATTN_WHEEL a wheel (path or address) that is installed where flash_attn is missing
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
trainer_source=${TRAINER_SOURCE:-/opt/diffusion_pipe}
weights_source=${WEIGHTS_SOURCE:-/opt/weights}
trainer_python=${TRAINER_PYTHON:-python}

say() { printf 'start.sh: %s\n' "$1" >&2; }
fail() {
    say "$1"
    exit 1
}

find_volume() {
    local place
    if [ -n "${NETWORK_VOLUME:-}" ]; then
        [ -d "$NETWORK_VOLUME" ] || fail "NETWORK_VOLUME is $NETWORK_VOLUME, which is not there: attach the volume"
        printf '%s\n' "$NETWORK_VOLUME"
        return
    fi
    for place in /runpod-volume /workspace; do
        if [ -d "$place" ]; then
            printf '%s\n' "$place"
            return
        fi
    done
    fail "there is no volume: attach one, or name a folder in NETWORK_VOLUME; results would be lost with the machine"
}

# Copies a folder to the volume under a name of its own, then puts it in place: it is there whole, or not at all.
put_trainer() {
    local to=$1 wanted have old
    if [ ! -f "$trainer_source/train.py" ]; then
        [ -f "$to/train.py" ] || fail "there is no diffusion-pipe, neither in $trainer_source nor in $to"
        say "using the diffusion-pipe that is on the volume"
        return
    fi
    wanted=$(cat "$trainer_source/.commit" 2>/dev/null || echo unknown)
    have=$(cat "$to/.commit" 2>/dev/null || echo none)
    if [ -f "$to/train.py" ] && [ "$have" = "$wanted" ]; then
        return
    fi
    if [ -f "$to/train.py" ] && [ "$have" = none ]; then
        say "the diffusion-pipe on the volume was not put there by this image: it is used as it is"
        return
    fi
    say "putting diffusion-pipe $wanted on the volume"
    rm -rf "$to.new" "$to.old"
    cp -R "$trainer_source" "$to.new"
    old=""
    if [ -e "$to" ]; then
        old=$to.old
        mv "$to" "$old"
    fi
    mv "$to.new" "$to"
    [ -z "$old" ] || rm -rf "$old"
}

# Weights that come with the image: those that the volume has stay as they are.
put_weights() {
    local to=$1 file name
    [ -d "$weights_source" ] || return 0
    while IFS= read -r -d '' file; do
        name=${file#"$weights_source"/}
        [ -e "$to/$name" ] && continue
        say "putting $name on the volume"
        mkdir -p "$(dirname "$to/$name")"
        cp "$file" "$to/$name.part"
        mv "$to/$name.part" "$to/$name"
    done < <(find "$weights_source" -type f -print0)
}

see_to_flash_attention() {
    if [ -z "${FLASH_ATTN_WHEEL:-}" ] || "$trainer_python" -c 'import flash_attn' 2>/dev/null; then
        return
    fi
    say "installing flash-attention"
    "$trainer_python" -m pip install --quiet --no-deps "$FLASH_ATTN_WHEEL" ||
        say "flash-attention cannot be installed from FLASH_ATTN_WHEEL: models that need it will not train"
}

volume=$(find_volume)
export NETWORK_VOLUME=$volume
work=$volume/diffusion_pipe_working_folder
mkdir -p "$work"/{models,datasets,training_outputs,jobs} || fail "nothing can be written to $volume"
# One worker at a time: several may start on one volume at once. Without file locks there is no telling.
exec 9>"$work/.start.lock"
flock 9 2>/dev/null || say "this volume has no file locks"
put_trainer "$work/diffusion_pipe"
put_weights "$work/models"
exec 9>&-
see_to_flash_attention

cd "$here"
[ $# -gt 0 ] || set -- serve
exec python -m worker "$@"
