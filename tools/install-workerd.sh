#!/bin/sh
# Puts Cloudflare's runtime and its router and asset workers into a folder, for the Worker's tests.
#
#   tools/install-workerd.sh [FOLDER]      (default folder: .tools/workerd)
#
# npm only downloads: none of these files needs Node at run time. What is already there is kept.
set -eu

# Both of one release, as miniflare's own package.json pairs them. The files are internals of
# Cloudflare without a promise of stability, so each of them is pinned by its SHA-256.
workerd_package='@cloudflare/workerd-linux-64@1.20260730.1'
workerd_sha256='3477e2b2539852d379d30f7055649e85e3ef66ba54b71b5aaf7e61ebbb99a21b'
miniflare_package='miniflare@4.20260730.0'
router_sha256='efe1081ea1f42f0f24ff80ac0ea44c33d25c3d9132db06e8d4ec92afbf05a1a5'
assets_sha256='0cb92ab6c91409423ed24a0446b1e30d0dbb388d28fbbe92415cd645f6085945'

folder=${1:-.tools/workerd}

fail() {
    echo "install-workerd: $*" >&2
    exit 1
}

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

is_complete() {
    [ -x "$1/workerd" ] && [ "$(sha256 "$1/workerd")" = "$workerd_sha256" ] &&
        [ -f "$1/router.worker.js" ] && [ "$(sha256 "$1/router.worker.js")" = "$router_sha256" ] &&
        [ -f "$1/assets.worker.js" ] && [ "$(sha256 "$1/assets.worker.js")" = "$assets_sha256" ]
}

# Prints the folder that a package was unpacked into.
unpacked() {
    mkdir -p "$scratch/$1"
    npm pack --silent --pack-destination "$scratch/$1" "$2" >/dev/null ||
        fail "npm did not deliver $2"
    tar -xzf "$scratch/$1"/*.tgz -C "$scratch/$1" || fail "$2 is no package"
    echo "$scratch/$1/package"
}

if is_complete "$folder"; then
    "$folder/workerd" --version
    exit 0
fi

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "the pinned workerd is for Linux on x86-64 only"
command -v npm >/dev/null 2>&1 || fail "npm has to be installed and able to download packages"

mkdir -p "$folder"
# Beside the targets, so that the last step is a rename and never a half-copied executable.
scratch=$(mktemp -d "$folder/.install.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

runtime=$(unpacked runtime "$workerd_package")
workers=$(unpacked workers "$miniflare_package")
mkdir "$scratch/ready"
mv "$runtime/bin/workerd" "$scratch/ready/workerd"
mv "$workers/dist/src/workers/assets/router.worker.js" "$scratch/ready/router.worker.js"
mv "$workers/dist/src/workers/assets/assets.worker.js" "$scratch/ready/assets.worker.js"
chmod 755 "$scratch/ready/workerd"
is_complete "$scratch/ready" ||
    fail "$workerd_package or $miniflare_package does not hold the expected files; nothing was installed"
mv -f "$scratch/ready"/* "$folder"
"$folder/workerd" --version
