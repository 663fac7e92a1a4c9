# Sourced by start.sh, test.sh and engine.sh: finds a Python, makes $VENV in the checkout (.venv, or
# .venv-NAME for an engine that needs its own), installs into it.
#
# Two files in $VENV tell how far it is. `quire-unfinished` stands there while something is being
# installed: an environment that has it was interrupted and is made anew. `quire-run` and
# `quire-dev` hold the fingerprint of what was installed; when it is still right, nothing is done.

VENV=.venv # engine.sh names another; never taken from the caller's environment

fail() {
  printf 'quire: %s\n' "$*" >&2
  exit 1
}

find_python() { # prints the first interpreter that fits; its bounds are those of pyproject.toml
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
      2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

require_venv() { # Debian ships the venv module without ensurepip unless python3-venv is there
  local python=$1 version
  "$python" -c 'import venv, ensurepip' 2>/dev/null && return
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "quire: installing python$version-venv" >&2
    install_packages "python$version-venv"
  fi
  "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "$python cannot make virtual environments." \
      "Install its venv package (on Debian: apt-get install python$version-venv)."
}

install_packages() { # Debian packages; only as root
  export DEBIAN_FRONTEND=noninteractive
  local options=(-y -qq --no-install-recommends -o DPkg::Lock::Timeout=300)
  apt-get install "${options[@]}" "$@" >/dev/null 2>&1 ||
    { apt-get update -qq >&2 && apt-get install "${options[@]}" "$@" >/dev/null; }
}

fingerprint() { # changes with the dependencies, the interpreter and the place of the checkout
  { cat pyproject.toml && "$1" -VV && pwd; } | sha256sum | cut -d' ' -f1
}

is_current() { # FLAVOUR FINGERPRINT
  [ -e "$VENV/quire-unfinished" ] && return 1
  [ "$(cat "$VENV/quire-$1" 2>/dev/null)" = "$2" ] && [ -x "$VENV/bin/quire" ]
}

# Make $VENV ready in the working directory, which is the checkout. FLAVOUR is run, dev or an extra
# of pyproject.toml; each has all that run has. Two at once wait for each other.
prepare_environment() {
  local flavour=$1 python wanted
  python=$(find_python) ||
    fail "Python 3.11 to 3.14 is needed; python3 here is" \
      "$(python3 -V 2>/dev/null || echo missing)." \
      "Install one, or name it: PYTHON=/path/to/python3.11 bash $0"
  wanted=$(fingerprint "$python")
  is_current "$flavour" "$wanted" && return
  [ "$flavour" = run ] && is_current dev "$wanted" && return

  exec 9>"$VENV.lock" # held until this function has returned; a waiting second run looks again
  command -v flock >/dev/null && flock 9
  if ! is_current "$flavour" "$wanted"; then
    require_venv "$python"
    install_environment "$flavour" "$python" "$wanted"
  fi
  exec 9>&-
}

install_environment() { # FLAVOUR PYTHON FINGERPRINT, with the lock held
  local flavour=$1 python=$2 wanted=$3 pip=("$VENV/bin/python" -m pip --disable-pip-version-check)
  if [ -e "$VENV/quire-unfinished" ] || ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1 ||
    { [ -e "$VENV/quire-home" ] && [ "$(cat "$VENV/quire-home")" != "$PWD" ]; }; then
    rm -rf "$VENV" # interrupted, broken or moved: scripts in it name their place
  fi
  echo "quire: setting up $VENV (once; one to three minutes)" >&2
  mkdir -p "$VENV"
  touch "$VENV/quire-unfinished"
  [ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV" ||
    fail "$python could not make $VENV."
  rm -f "$VENV/quire-run" "$VENV/quire-$flavour"
  if [ "$flavour" = dev ]; then
    # --group needs pip 25.1
    "${pip[@]}" install --quiet --no-input --upgrade 'pip>=25.1' 9>&- &&
      "${pip[@]}" install --quiet --no-input --editable . --group dev 9>&-
  elif [ "$flavour" = run ]; then
    "${pip[@]}" install --quiet --no-input --editable . 9>&-
  else
    "${pip[@]}" install --quiet --no-input --editable ".[$flavour]" 9>&-
  fi || fail "pip could not install the packages; its lines above say why." \
    "Run this again when that is mended."
  pwd >"$VENV/quire-home"
  echo "$wanted" >"$VENV/quire-run"
  echo "$wanted" >"$VENV/quire-$flavour"
  rm "$VENV/quire-unfinished"
}
