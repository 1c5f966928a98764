#!/usr/bin/env bash
# Turns the requirements of pyproject.toml into constraints/*.txt: names, versions, hashes.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=${UV:-.venv/bin/uv}

# pin NAME ARGUMENTS…: one file, one version of each package for every Python we support.
# Without --upgrade what is pinned stays; `make lock UPGRADE=1` takes the newest.
pin() {
    printf 'pinning: constraints/%s.txt\n' "$1"
    "$uv" pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
        --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        ${UPGRADE:+--upgrade} --output-file "constraints/$1.txt" "${@:2}"
}

pin build --group build
pin render pyproject.toml --extra render
pin full pyproject.toml --extra render --group dev --constraint constraints/render.txt
pin light pyproject.toml --group light
