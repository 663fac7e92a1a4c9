#!/usr/bin/env bash
# All peers, once: run.sh PYTHON [OURS]. With OURS, the Python that has quire, quire is measured
# first, in the same run. Needs Debian's redis-server, and a Python with
# ray, taskiq, taskiq-redis, dramatiq[redis] and celery[redis]. Redis at its defaults, then again
# (taskiq, Dramatiq, Celery) with every write on disk before it is answered.
set -euo pipefail
python=$1
here=$(cd "$(dirname "$0")" && pwd)
export REDIS_PORT=${REDIS_PORT:-16399}
folder=$(mktemp -d)
server=
# kill -9: on SIGTERM it would wait for a last snapshot
finish() { [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true; rm -rf "$folder"; }
trap finish EXIT
serve() { # arguments of redis-server
  redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --dir "$folder" --daemonize no "$@" >"$folder/log" 2>&1 &
  server=$!
  until redis-cli -p "$REDIS_PORT" ping >/dev/null 2>&1; do sleep 0.1; done
}
if [ -n "${2:-}" ]; then
  ours=$(realpath -s "$2")
  (cd "$here/../../.." && "$ours" -m tests.bench.bus_rate)
fi
cd "$here"
"$python" on_ray.py tasks --large 300
"$python" on_ray.py actors --large 300
serve
for peer in taskiq dramatiq celery; do "$python" "on_$peer.py" --small 1000 --large 150 || true; done
kill -9 "$server"; wait "$server" 2>/dev/null || true
echo "with appendfsync always:"
serve --appendonly yes --appendfsync always
for peer in taskiq dramatiq celery; do "$python" "on_$peer.py" --small 500 --large 100 || true; done
