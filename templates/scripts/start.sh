#!/bin/sh
# Wait until every marker file exists, then become the command.
# usage: start.sh MARKER... -- COMMAND ARG...
# Shell builtins and sleep only, for engine images of any kind. POSIX sh.

set -u

nap=
trap '[ -z "$nap" ] || kill "$nap" 2>/dev/null; exit 143' TERM
trap '[ -z "$nap" ] || kill "$nap" 2>/dev/null; exit 130' INT

markers=0
for word in "$@"; do
  [ "$word" = -- ] && break
  markers=$((markers + 1))
done
if [ $# -lt $((markers + 2)) ]; then
  echo "usage: start.sh MARKER... -- COMMAND ARG..." >&2
  exit 2
fi

polls=0
while :; do
  missing=0
  for word in "$@"; do
    [ "$word" = -- ] && break
    [ -f "$word" ] || missing=$((missing + 1))
  done
  [ "$missing" -gt 0 ] || break
  # A poll takes five seconds, so twelve are a minute.
  [ $((polls % 12)) -ne 0 ] || echo "start: $missing of $markers downloads are missing, waiting"
  polls=$((polls + 1))
  # `wait` lets a signal through at once; a foreground sleep would hold it back.
  sleep 5 &
  nap=$!
  wait "$nap"
  nap=
done

shift "$markers"
shift
exec "$@"
