#!/usr/bin/env bash
# Prints a Python that can run the project: PYTHON=…, else the one .venv stands on, else the newest.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${PYTHON:-} ]]; then
    names=("$PYTHON")
else
    names=(python3.13 python3.12 python3.11 python3)
    [[ ! -x .venv/bin/python ]] || names=(.venv/bin/python "${names[@]}")
fi

fits='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'
# Not the environment's own interpreter: the environment may be about to be rebuilt.
path='import os, sys; print(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))'

for name in "${names[@]}"; do
    if "$name" -c "$fits" 2>/dev/null; then
        exec "$name" -c "$path"
    fi
done

cat >&2 <<EOF
No Python from 3.11 to 3.13 was found (tried: ${names[*]}).
Install one, for example python3.11 with python3.11-venv and python3.11-dev, and run this again;
or say where one is: make install PYTHON=/path/to/python3
EOF
exit 1
