#!/usr/bin/env bash
# Installs what the build needs beyond cargo: GDAL's headers, pkg-config and a C compiler.
set -euo pipefail

have_all() { command -v pkg-config >/dev/null && command -v cc >/dev/null && pkg-config --exists 'gdal >= 3.4'; }

have_all && exit 0

if command -v apt-get >/dev/null; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || {
            echo "swath needs GDAL's headers: as root, run apt-get install libgdal-dev pkg-config build-essential" >&2
            exit 1
        }
        as_root=(sudo)
    fi
    echo "installing libgdal-dev, pkg-config and build-essential with apt-get" >&2
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends libgdal-dev pkg-config build-essential >/dev/null
elif command -v brew >/dev/null; then
    echo "installing gdal and pkg-config with brew" >&2
    brew install --quiet gdal pkg-config
else
    cat >&2 <<'EOF'
swath needs GDAL 3.4 or newer with its headers, pkg-config and a C compiler, and found neither apt-get nor brew.
Install them with your package manager (Fedora: dnf install gdal-devel pkgconf gcc; Arch: pacman -S gdal pkgconf gcc)
and run make again.
EOF
    exit 1
fi

have_all || {
    echo "GDAL is still not found by pkg-config; check 'pkg-config --modversion gdal' (3.4 or newer is needed)" >&2
    exit 1
}
