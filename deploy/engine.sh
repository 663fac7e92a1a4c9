#!/usr/bin/env bash
# Set up an engine's own interpreter: `bash deploy/engine.sh mineru`, `mineru-gpu` with what its
# models need on a GPU, or `deepseek`. Any extra of pyproject.toml that is named after an engine will
# do. Prints the setting with which `quire up` starts the engine in it.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
[[ ${1-} =~ ^[a-z][a-z0-9-]*$ ]] || { echo "usage: bash deploy/engine.sh mineru|mineru-gpu|deepseek" >&2; exit 2; }
. deploy/environment.sh
VENV=.venv-$1
grep -q "^$1 = " pyproject.toml || fail "pyproject.toml has no extra '$1'."
prepare_environment "$1"
echo "QUIRE_ENGINE_PYTHONS=${1%%-*}=$PWD/$VENV/bin/python"
