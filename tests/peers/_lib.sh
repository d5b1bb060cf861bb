# Shared by every NAME/start.sh and NAME/stop.sh (sourced, bash only).
# Layout on disk, all under $PEER_DIR:
#   $PEERS_HOME/NAME when PEERS_HOME is set,
#   ${XDG_CACHE_HOME:-$HOME/.cache}/keyturn-peers/NAME otherwise.
#   install/        what pip or npm installed, with a .stamp of the pins
#   run-PORT/       data, log, pid and the JSON line of the server on PORT
set -euo pipefail
PEER_SRC="$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)"
PEER_NAME="$(basename "$PEER_SRC")"
PEER_DIR="${PEERS_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/keyturn-peers}/$PEER_NAME"
case "$PEER_DIR" in /*) ;; *) PEER_DIR="$PWD/$PEER_DIR" ;; esac
INSTALL="$PEER_DIR/install"
PY="${PEERS_PYTHON:-python3}"

say() { printf '%s: %s\n' "$PEER_NAME" "$*" >&2; }
die() { say "$*"; exit 1; }

peer_port() {
  PORT="${1:-}"
  [[ "$PORT" =~ ^[0-9]+$ ]] && (( PORT > 0 && PORT < 65536 )) || { echo "usage: $0 PORT" >&2; exit 2; }
  RUN="$PEER_DIR/run-$PORT"
  BASE="http://127.0.0.1:$PORT"
}

# start time of a process in clock ticks (nothing for a zombie or none at all):
# guards against a reused pid. A zombie whose other threads still live counts as
# alive: it has its port until the last one is gone.
_started() {
  local f
  read -r -a f < <(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null) || return 0
  [ "${f[0]}" = Z ] && (( f[17] <= 1 )) && return 0
  echo "${f[19]}"
}

peer_alive() {
  local pid at
  [ -s "$RUN/pid" ] || return 1
  read -r pid at < "$RUN/pid"
  [ -n "$at" ] && [ "$(_started "$pid")" = "$at" ]
}

# peer_begin SETTINGS...: prints the saved line and exits when this very
# server already runs on PORT with the same settings; else makes a fresh RUN.
peer_begin() {
  if peer_alive; then
    if [ -s "$RUN/peer.json" ] && [ "$(cat "$RUN/settings")" = "$*" ]; then
      say "already running on port $PORT"; cat "$RUN/peer.json"; exit 0
    fi
    die "already running on port $PORT with other settings; stop.sh $PORT first"
  fi
  "$PY" - "$PORT" <<'PYEOF' || die "port $PORT is taken by another program"
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try: s.bind(("127.0.0.1", int(sys.argv[1])))
except OSError: sys.exit(1)
PYEOF
  rm -rf "$RUN"; mkdir -p "$RUN"; printf '%s' "$*" > "$RUN/settings"
}

# peer_install FUNCTION PINFILE...: runs FUNCTION once per content of the pins
peer_install() {
  local fn="$1"; shift
  local want; want="$(cat "$@" | sha256sum | cut -d' ' -f1)"
  mkdir -p "$PEER_DIR"
  (
    flock 9
    if [ "$(cat "$INSTALL/.stamp" 2>/dev/null)" != "$want" ]; then
      local t0=$SECONDS
      say "first run: installing (log: install.log in the peer's folder)"
      rm -rf "$INSTALL"; mkdir -p "$INSTALL"
      ( set -e; "$fn" ) > "$PEER_DIR/install.log" 2>&1 9>&- < /dev/null \
        || { tail -n 25 "$PEER_DIR/install.log" >&2; die "install failed"; }
      echo "$want" > "$INSTALL/.stamp"
      say "installed in $((SECONDS - t0)) s"
    fi
  ) 9> "$PEER_DIR/.lock" || exit 1
}

pip_install() { # a venv with exactly requirements.txt, whose hashes must match; uv when there is one, else pip
  if command -v uv >/dev/null; then
    uv venv --quiet --no-project --python "$PY" "$INSTALL/venv"
    uv pip install --require-hashes --python "$INSTALL/venv/bin/python" -r "$PEER_SRC/requirements.txt"
  else
    "$PY" -m venv "$INSTALL/venv"
    "$INSTALL/venv/bin/pip" install --disable-pip-version-check --no-input --require-hashes \
      -r "$PEER_SRC/requirements.txt"
  fi
}

# peer_spawn COMMAND...: in its own session, log to RUN/server.log
peer_spawn() {
  setsid "$@" > "$RUN/server.log" 2>&1 < /dev/null &
  PID=$!
  disown "$PID"
  local i at=
  for i in 1 2 3 4 5; do at="$(_started "$PID")" && [ -n "$at" ] && break; sleep 0.1; done
  echo "$PID $at" > "$RUN/pid"
}

# peer_wait PATH: until BASE/PATH answers below 500 (60 s at most)
peer_wait() {
  local end=$((SECONDS + 60))
  while (( SECONDS < end )); do
    peer_alive || { tail -n 25 "$RUN/server.log" >&2; die "server ended while starting"; }
    if "$PY" - "$BASE$1" <<'PYEOF'
import sys, urllib.request, urllib.error
try: code = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1], timeout=3).status
except urllib.error.HTTPError as e: code = e.code
except Exception: code = 599
sys.exit(code >= 500)
PYEOF
    then return 0; fi
    sleep 0.3
  done
  tail -n 25 "$RUN/server.log" >&2
  peer_kill; die "not ready after 60 s"
}

# peer_emit KEY VALUE ...: the one JSON line; an empty VALUE is null
peer_emit() {
  "$PY" - "$RUN/peer.json" name "$PEER_NAME" base_url "$BASE" "$@" pid "$PID" <<'PYEOF'
import json, sys
keys = ("name base_url token_url refresh_url revoke_url me_url client_id client_secret "
        "username password second_username second_password scope pid notes").split()
a = sys.argv[2:]
got = dict(zip(a[::2], a[1::2]))
assert not set(got) - set(keys), got
out = {k: (got.get(k) or None) for k in keys}
out["pid"] = int(out["pid"])
line = json.dumps(out)
open(sys.argv[1], "w").write(line + "\n")
print(line)
PYEOF
}

peer_kill() { # only the process that peer_spawn started
  peer_alive || return 0
  local pid at i; read -r pid at < "$RUN/pid"
  kill "$pid" 2>/dev/null || true
  for i in $(seq 100); do [ "$(_started "$pid")" = "$at" ] || return 0; sleep 0.1; done
  say "pid $pid did not end within 10 s of TERM: KILL"
  [ "$(_started "$pid")" = "$at" ] && kill -9 "$pid" || true
}

peer_stop() {
  peer_port "${1:-}"
  if peer_alive; then peer_kill; say "stopped port $PORT"; else say "nothing running on port $PORT"; fi
  rm -f "$RUN/pid"
}
