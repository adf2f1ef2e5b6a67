#!/bin/sh
# session.sh start NAME FOLDER | stop NAME FOLDER
# A recording of quire_bench:taken in flight-recorder mode, as Quire's rings are by default: the newest events overwrite the oldest, nobody reads.
# A daemon is started where none runs, and only that one is stopped again.
set -eu
verb=$1; name=$2; folder=$3
case $verb in
start)
  if ! lttng --no-sessiond list >/dev/null 2>&1; then
    lttng-sessiond --daemonize --no-kernel --pidfile="$folder/sessiond.pid"
  fi
  lttng --no-sessiond create "$name" --snapshot --output="$folder/trace" >/dev/null
  lttng --no-sessiond enable-channel --userspace --session="$name" --overwrite --subbuf-size=256K --num-subbuf=4 rings >/dev/null
  lttng --no-sessiond enable-event --userspace --session="$name" --channel=rings quire_bench:taken >/dev/null
  lttng --no-sessiond start "$name" >/dev/null
  ;;
stop)
  lttng --no-sessiond destroy "$name" >/dev/null || true
  if [ -f "$folder/sessiond.pid" ]; then kill "$(cat "$folder/sessiond.pid")" || true; fi
  ;;
esac
