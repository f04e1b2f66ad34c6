# shellcheck shell=bash disable=SC2154
# Sourced by scripts that run coordinator, cache and a worker of their own on free local ports. The caller sets `bin`, the folder
# of the programs, and `out`, a folder that exists; ports, logs and the services' data lie below it.
pids=()

stop_services() { # in reverse order: a worker whose coordinator is gone waits half a minute to deliver its last reports
  local i
  for ((i = ${#pids[@]} - 1; i >= 0; --i)); do
    kill "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  pids=()
}

field() { # field FILE KEY: a string value of a one-line JSON file
  sed -n "s/.*\"$2\": *\"\([^\"]*\)\".*/\1/p" "$1"
}

start_service() { # start_service NAME PROGRAM ARGS...: waits until it reports its address
  local name=$1 pid
  shift
  rm -f "$out/ports/$name.json"
  "$@" --port-file "$out/ports/$name.json" >"$out/logs/$name.log" 2>&1 &
  pid=$!
  pids+=("$pid")
  local tries=0
  until [ -s "$out/ports/$name.json" ]; do
    kill -0 "$pid" 2>/dev/null && [ $tries -lt 300 ] || {
      tail -5 "$out/logs/$name.log" >&2
      echo "${0##*/}: $name did not start (log: $out/logs/$name.log)" >&2
      exit 1
    }
    sleep 0.1
    tries=$((tries + 1))
  done
}

start_services() { # start_services WORKER SLOTS: all three; exports FPO_SERVER and FPO_CACHE_SERVER
  mkdir -p "$out/ports" "$out/logs"
  start_service cache "$bin/fpo-cache" --listen 127.0.0.1:0 --http 127.0.0.1:0 --data "$out/cache"
  start_service coordinator "$bin/fpo-coordinator" --listen 127.0.0.1:0 --http 127.0.0.1:0 --data "$out/coordinator"
  FPO_SERVER=$(field "$out/ports/coordinator.json" grpc)
  FPO_CACHE_SERVER=$(field "$out/ports/cache.json" grpc)
  export FPO_SERVER FPO_CACHE_SERVER
  start_service worker "$bin/fpo-worker" --coordinator "$FPO_SERVER" --cache "$FPO_CACHE_SERVER" --http 127.0.0.1:0 \
    --name "$1" --slots "$2" --work-dir "$out/worker"
  echo "  coordinator $FPO_SERVER, cache $FPO_CACHE_SERVER, worker $1"
}
