#!/usr/bin/env bash
# Set up the development environment and check everything: `bash deploy/test.sh [pytest arguments]`.
# All checks run even when one fails; the exit code is 0 only when all passed.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
. deploy/environment.sh

# chromium: browser tests. The font: Chinese pages in it. postgresql: the store's other database.
# iproute2: an engine on another host, in a network namespace.
missing=()
for package in chromium fonts-wqy-zenhei postgresql iproute2; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
    missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "quire: installing ${missing[*]}" >&2
    install_packages "${missing[@]}"
  else
    echo "quire: not installed (needs root): ${missing[*]}; tests that need them are skipped" >&2
  fi
fi
prepare_environment dev
# Tests run MinerU in an interpreter of its own, as a user does; it is made while the checks run.
bash deploy/engine.sh mineru >/dev/null &
mineru=$!

failed=()
check() {
  echo "== $*"
  ".venv/bin/$1" "${@:2}" || failed+=("$1 ${2-}")
}
check ruff check .
check ruff format --check .
check mypy
check lint-imports
wait "$mineru" || failed+=("engine.sh mineru")
status=0
.venv/bin/pytest "$@" || status=$?
# pytest's summary stays the last line when all is well
if [ ${#failed[@]} -gt 0 ]; then
  printf 'quire: failed before the tests: %s\n' "${failed[@]}" >&2
  exit 1
fi
exit "$status"
