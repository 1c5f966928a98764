#!/usr/bin/env bash
# Installs the Debian packages that are missing here, or prints the command and changes nothing.
set -euo pipefail
cd "$(dirname "$0")"

lacking=()  # what, for people
packages=() # what, for apt

# need WHAT PACKAGE…
need() {
    lacking+=("$1")
    packages+=("${@:2}")
}

has() { command -v "$1" >/dev/null 2>&1; }
has_headers() { pkg-config --exists "$1" 2>/dev/null; }
# kpsewhich fails unless it finds every file it is asked for.
has_tex() { has kpsewhich && kpsewhich "$@" >/dev/null; }
has_libraries() {
    local known
    known=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p)
    for name; do
        [[ $known == *"$name"* ]] || return 1
    done
}
has_fonts() { has fc-list && [[ -n $(fc-list 2>/dev/null) ]]; }
has_module() { "$python" -c "import $1" 2>/dev/null; }
has_python_headers() {
    "$python" -c 'import os, sysconfig as s, sys
sys.exit(not os.path.exists(os.path.join(s.get_path("include"), "Python.h")))'
}

# A snap is no use to a driver of browsers, and Ubuntu's package is only a pointer to one.
apt_has_chromium() {
    local candidate
    candidate=$(apt-cache policy chromium 2>/dev/null | awk '/Candidate:/ { print $2 }')
    [[ -n $candidate && $candidate != "(none)" && $candidate != *snap* ]]
}
has_chromium() { has chromium || has chromium-browser; }

look_for_python() {
    if python=$(./find-python.sh 2>/dev/null); then
        local name
        name=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        has_module ensurepip && has_module venv || need "Python's venv" "$name-venv"
        has_python_headers || need "Python's headers" "$name-dev"
    elif has python3; then
        ./find-python.sh # its message says what to do; a second system Python is not ours to choose
    else
        need Python python3 python3-venv python3-dev
    fi
}

look_for_build_tools() {
    has cc || need "a C compiler" gcc libc6-dev
    has pkg-config || need pkg-config pkg-config
    has_headers cairo || need "Cairo's headers" libcairo2-dev
    has_headers pangocairo || need "Pango's headers" libpango1.0-dev
    # moderngl and glcontext come ready-made for x86-64 only.
    if [[ $(uname -m) != x86_64 ]]; then
        has c++ || need "a C++ compiler" g++
        has_headers egl && has_headers gl || need "OpenGL's headers" libegl-dev libgl-dev
    fi
}

look_for_rendering_tools() {
    has latex || need LaTeX texlive-latex-base
    has dvisvgm || need dvisvgm dvisvgm
    has_tex standalone.cls preview.sty || need "LaTeX's standalone class" texlive-latex-extra
    has_tex rsfs10.pfb wasysym.sty || need "LaTeX's usual fonts" texlive-fonts-recommended
    has_tex sfrm1000.pfb || need "LaTeX's accented fonts" cm-super-minimal
    has_tex physics.sty || need "LaTeX's physics package" texlive-science
    has_fonts || need "a font" fontconfig fonts-dejavu-core
    has_libraries libEGL.so.1 libGL.so.1 || need "OpenGL's libraries" libegl1 libgl1
}

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}
may_be_root() {
    [[ $(id -u) == 0 ]] || { has sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; }
}

apt_install() {
    printf 'installing system packages: %s\n' "$*"
    local log
    log=$(mktemp)
    if ! {
        as_root apt-get update -qq \
            && as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install --yes -qq --no-install-recommends "$@"
    } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        printf 'The system packages could not be installed; apt says why above.\n' >&2
        return 1
    fi
    rm -f "$log"
}

refuse() {
    local what
    what=$(printf ', %s' "${lacking[@]}")
    if ! has_chromium && apt_has_chromium; then
        packages+=(chromium)
    fi
    printf 'This machine lacks: %s.\n' "${what:2}"
    printf 'Nothing was changed. Install what is missing, then run this again:\n'
    printf '    sudo apt-get update && sudo apt-get install --no-install-recommends %s\n' \
        "${packages[*]}"
} >&2

look_for_everything() {
    lacking=() packages=()
    look_for_python
    look_for_build_tools
    look_for_rendering_tools
}

# Only a test wants Chromium, so that its absence is said and not an error.
install_chromium() {
    has_chromium && return
    has apt-get && may_be_root && apt_has_chromium && apt_install chromium && return
    printf 'note: there is no chromium on this machine, so the browser test will be skipped\n'
}

look_for_everything
if ((${#packages[@]})); then
    if ! has apt-get || ! may_be_root; then
        refuse
        exit 1
    fi
    apt_install "${packages[@]}"
    look_for_everything
    if ((${#packages[@]})); then
        refuse
        exit 1
    fi
fi
install_chromium
