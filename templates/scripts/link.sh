# link.sh LINK SOURCE [LINK SOURCE ...] -- COMMAND: give weights paths that are known before the
# commit is, then become COMMAND. A SOURCE below refs/ names the commit: its snapshot is meant.
set -eu
while [ "$1" != "--" ]; do
  link=$1
  source=$2
  shift 2
  case $source in
    */refs/*)
      if [ ! -f "$source" ]; then
        echo "link: $source is missing: the weights are not downloaded" >&2
        exit 1
      fi
      source=${source%%/refs/*}/snapshots/$(cat "$source")
      ;;
  esac
  if [ ! -e "$source" ]; then
    echo "link: $source is missing: the weights are not downloaded" >&2
    exit 1
  fi
  mkdir -p "${link%/*}"
  ln -sfn "$source" "$link"
done
shift
exec "$@"
