#!/bin/sh
# The bundle of the machine this runs on, from a fresh checkout: dist/first-token, or "dist/First Token.app" on a Mac.
#
#   sh assets/packaging/build.sh
#
# Needs uv. Packages go into .venv-bundle: those the app runs with, and PyInstaller; nothing of the tests.
set -eu

cd "$(dirname "$0")/../.."
PYTHON_VERSION=3.11 # Qt's binding for newer ones states macOS 26 as its oldest system; this one's states 15

uv venv --quiet --clear --python "$PYTHON_VERSION" .venv-bundle
export VIRTUAL_ENV="$PWD/.venv-bundle"
set -- --quiet --only-binary :all: -r pyproject.toml --group packaging
if [ "$(uname -s)" = Darwin ]; then
    # The wheels of MLX for macOS 14, whatever the builder runs: those for 26 do not start on what is older.
    export MACOSX_DEPLOYMENT_TARGET=14.0
    set -- "$@" --python-platform aarch64-apple-darwin
fi
uv pip install "$@"
python=.venv-bundle/bin/python
if [ ! -x "$python" ]; then python=.venv-bundle/Scripts/python.exe; fi
"$python" -m PyInstaller --noconfirm --log-level WARN assets/packaging/first-token.spec
if [ "$(uname -s)" = Darwin ]; then "$python" assets/packaging/lint_macos.py "dist/First Token.app"; fi
