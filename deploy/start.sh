#!/usr/bin/env bash
# Set quire up in .venv inside this checkout, then start it: `bash deploy/start.sh [quire up flags]`.
# Runs in the checkout: quire.toml is read and quire-data is kept there unless flags say otherwise.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
. deploy/environment.sh
prepare_environment run
exec .venv/bin/quire up "$@"
