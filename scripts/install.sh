#!/usr/bin/env bash
# Sets the project up: system packages, .venv with everything, .venv-light with the light side only.
set -euo pipefail
cd "$(dirname "$0")/.."
exec 9<scripts && flock 9 # two runs at once would build the same folders

scripts/system-packages.sh
python=$(scripts/find-python.sh)

pip_install() { # pip_install VENV ARGUMENT…; the environment's own tools build what has no wheel
    PATH="$PWD/$1/bin:$PATH" "$1/bin/python" -m pip install -qq --disable-pip-version-check \
        --no-input --no-build-isolation "${@:2}"
}

# An environment is rebuilt when its pins, its Python or its place change, and never used unfinished:
# the stamp is written last.
environment() { # environment VENV PINS WHAT
    local venv=$1 pins=$2 stamp key
    stamp="$venv/.pins"
    key=$({ printf '%s\n' "$PWD" "$python" "$("$python" -V)" && cat constraints/build.txt "$pins"; } | sha256sum)
    if [[ $(cat "$stamp" 2>/dev/null) != "$key" ]]; then
        printf 'installing %s: %s\n' "$venv" "$3"
        rm -rf "$venv"
        "$python" -m venv "$venv"
        pip_install "$venv" --require-hashes -r constraints/build.txt
        pip_install "$venv" --require-hashes -r "$pins"
        printf '%s\n' "$key" >"$stamp"
    fi
    project "$venv"
}

project() { # project VENV
    local stamp="$1/.project" key
    key=$(sha256sum <pyproject.toml)
    if [[ $(cat "$stamp" 2>/dev/null) != "$key" ]]; then
        printf 'installing the project in %s\n' "$1"
        pip_install "$1" --no-deps --editable .
        printf '%s\n' "$key" >"$stamp"
    fi
}

environment .venv constraints/full.txt "Manim, JupyterLab and the tools, from constraints/full.txt"
environment .venv-light constraints/light.txt "a kernel without Manim, from constraints/light.txt"
