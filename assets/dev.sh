#!/bin/sh
# First Token from a fresh checkout: installs what is lacking, then runs the app or its tests.
#
#   sh assets/dev.sh run [ARGUMENT...]            the app: `run chat "Hello"`, `run doctor`, `run --help`
#   sh assets/dev.sh test [--slow] [ARGUMENT...]  every check and test; arguments go to pytest; CI=true means --slow
#
# Python packages go into .venv, and uv, where there is none on PATH, into .venv-uv: both inside the checkout. System
# libraries that Debian and its relatives lack are installed with apt-get, as root or through a sudo that wants no
# password; elsewhere the script says what is missing. It never asks a question.
set -eu
unset VIRTUAL_ENV

UV_VERSION=0.13.8

# "new|old": a package that was renamed between two releases of Debian.
ENGINE_PACKAGES="libgomp1 libstdc++6"
QT_PACKAGES="libglib2.0-0t64|libglib2.0-0 libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libgssapi-krb5-2
    fonts-dejavu-core"
WINDOW_PACKAGES="libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0
    libxcb-xkb1 libxkbcommon-x11-0"
# What the slow tests want besides: they build the packaged app and run it on a screen, and on a Debian of its own.
SLOW_TEST_PACKAGES="binutils debootstrap xvfb $WINDOW_PACKAGES"

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=$root/.venv
uv_venv=$root/.venv-uv

say() {
    printf 'dev.sh: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# --- system packages -------------------------------------------------------------------------------------------------

is_debian_like() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null
}

# Print those of the packages $@ that are not installed, each under the name that this release has for it.
missing_packages() {
    if [ $# = 0 ]; then return; fi
    # shellcheck disable=SC2046  # one word a name
    installed=$(dpkg-query -W -f ' ${db:Status-Status}=${Package} ' $(printf '%s ' "$@" | tr '|' ' ') 2>/dev/null || :)
    for entry in "$@"; do
        new=${entry%%|*}
        old=${entry##*|}
        case $installed in
            *" installed=$new "* | *" installed=$old "*) ;;
            *) if apt-cache show "$new" >/dev/null 2>&1; then echo "$new"; else echo "$old"; fi ;;
        esac
    done
}

# Print the packages without which uv cannot be installed.
missing_python_packages() {
    if ! find_uv && ! python_makes_venvs; then missing_packages python3 python3-venv; fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@"
}

# Install the packages $@; print the last lines of apt-get's output where it fails.
install_packages() {
    say "installing with apt-get: $*"
    log=$(mktemp)
    status=0
    { apt_get update && apt_get install --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null || status=$?
    [ "$status" = 0 ] || tail -n 5 "$log" >&2
    rm -f "$log"
    return "$status"
}

# Install what is missing of the packages in $1, without which nothing works, and in $2, which only the window needs.
ensure_packages() {
    # shellcheck disable=SC2086  # lists of names
    required="$(missing_python_packages) $(missing_packages $1)"
    # shellcheck disable=SC2086
    optional=$(missing_packages $2)
    # shellcheck disable=SC2086
    set -- $required $optional
    if [ $# = 0 ]; then return; fi
    if as_root true 2>/dev/null && install_packages "$@"; then return; fi
    # shellcheck disable=SC2086
    set -- $required
    if [ $# != 0 ]; then fail "system packages are missing; try again after: sudo apt-get install $*"; fi
    # shellcheck disable=SC2086
    set -- $optional
    if [ ! -d "$venv" ]; then say "the window will not open before: sudo apt-get install $*"; fi
}

# --- uv and the Python packages --------------------------------------------------------------------------------------

python_makes_venvs() {
    python3 -c 'import ensurepip, venv' 2>/dev/null
}

# Set $uv to a uv that works and is as new as pyproject.toml asks.
find_uv() {
    for uv in uv "$uv_venv/bin/uv"; do
        case $("$uv" --version 2>/dev/null) in
            "uv 0."[0-7].* | "") ;;
            *) return 0 ;;
        esac
    done
    return 1
}

ensure_uv() {
    if find_uv; then return; fi
    python_makes_venvs || fail "Python is missing or cannot make virtual environments; install Python 3.11 or newer, or uv"
    say "installing uv into .venv-uv"
    uv=$uv_venv/bin/uv
    python3 -m venv --clear "$uv_venv"
    "$uv_venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" ||
        fail "uv could not be installed (see above); check the network and try again"
}

# Bring .venv up to date; $@ says what belongs into it.
sync() {
    if [ ! -d "$venv" ]; then say "installing Python packages into .venv; this takes a minute or two, once"; fi
    UV_PROJECT_ENVIRONMENT=$venv "$uv" sync --quiet --project "$root" "$@" ||
        fail "the Python packages could not be installed (see above); check the network and try again"
}

# Qt's packages for Linux on ARM want glibc 2.39; an older system runs everything but the window.
qt_wants_a_newer_system() {
    [ "$(uname -sm)" = "Linux aarch64" ] || return 1
    case $(getconf GNU_LIBC_VERSION) in
        "glibc 2."[0-9] | "glibc 2."[12][0-9] | "glibc 2.3"[0-8]) return 0 ;;
        *) return 1 ;;
    esac
}

# --- the two commands ------------------------------------------------------------------------------------------------

run_app() {
    if is_debian_like; then ensure_packages "$ENGINE_PACKAGES" "$QT_PACKAGES $WINDOW_PACKAGES"; fi
    ensure_uv
    if qt_wants_a_newer_system; then
        sync --no-dev --inexact --no-install-package pyside6-essentials --no-install-package shiboken6
    else
        sync --no-dev --inexact # inexact: leave the packages of the tests where they are
    fi
    exec "$venv/bin/first-token" "$@"
}

# Run the check $@, show what it printed only where it fails, and go on.
check() {
    if output=$("$@" 2>&1); then
        say "$*: passed"
    else
        printf '%s\n' "$output"
        say "$*: failed"
        failed="$failed [$*]"
    fi
}

run_tests() {
    if qt_wants_a_newer_system; then fail "the tests need Qt, and Qt on ARM needs glibc 2.39, as in Debian 13"; fi
    optional_packages=
    if [ "${CI:-}" = true ]; then optional_packages=$SLOW_TEST_PACKAGES; fi
    if is_debian_like; then ensure_packages "$ENGINE_PACKAGES $QT_PACKAGES" "$optional_packages"; fi
    ensure_uv
    sync --all-extras --all-groups
    cd "$root"
    PATH=$venv/bin:$PATH
    failed=
    check ruff check .
    check ruff format --check .
    check mypy
    check lint-imports --no-logo
    if command -v shellcheck >/dev/null; then # no wheel for Linux on ARM
        check shellcheck .ci/run assets/*.sh assets/packaging/*.sh assets/packaging/*/*.sh
    fi
    if [ "${CI:-}" = true ]; then set -- --slow "$@"; fi
    status=0
    python -m pytest "$@" || status=$?
    if [ -n "$failed" ]; then fail "failed before the tests:$failed"; fi
    return "$status"
}

case ${1:-} in
    run) shift && run_app "$@" ;;
    test) shift && run_tests "$@" ;;
    *) fail "say \`sh assets/dev.sh run [ARGUMENT...]\` or \`sh assets/dev.sh test [--slow] [ARGUMENT...]\`" ;;
esac
