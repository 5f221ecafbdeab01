#!/bin/sh
# The bundle as a .tar.gz that runs from anywhere, and as a .deb with menu entry, icon and file type.
#
#   sh assets/packaging/linux/package.sh BUNDLE ICONS FOLDER VERSION
#
# BUNDLE is the folder that PyInstaller made, ICONS where the spec left the icons (build/first-token/icons), FOLDER where
# the packages go. Needs dpkg-deb for the .deb.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
bundle=$1
icon=$2/first-token.png
folder=$3
version=$4
machine=$(uname -m)

# What the bundle loads from the system. Everything else it has with it.
DEPENDS="libc6 (>= 2.34), libegl1, libgl1, libxcb1, libx11-6, libdbus-1-3, fonts-dejavu-core | fonts-liberation"

mkdir -p "$folder"
tar -C "$(dirname "$bundle")" --owner=0 --group=0 --numeric-owner --sort=name \
    -czf "$folder/first-token-$version-linux-$machine.tar.gz" "$(basename "$bundle")"

if ! command -v dpkg-deb >/dev/null; then exit 0; fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root/DEBIAN" "$root/opt" "$root/usr/bin" "$root/usr/share/applications" "$root/usr/share/mime/packages" \
    "$root/usr/share/icons/hicolor/512x512/apps" "$root/usr/share/doc/first-token"
cp -R "$bundle" "$root/opt/first-token"
ln -s /opt/first-token/first-token "$root/usr/bin/first-token"
install -m 644 "$here/first-token.desktop" "$root/usr/share/applications/first-token.desktop"
install -m 644 "$here/first-token-mime.xml" "$root/usr/share/mime/packages/first-token.xml"
install -m 644 "$icon" "$root/usr/share/icons/hicolor/512x512/apps/first-token.png"
ln -s /opt/first-token/_internal/LICENSE "$root/usr/share/doc/first-token/copyright"
cat >"$root/DEBIAN/control" <<END
Package: first-token
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: First Token
Installed-Size: $(du -sk "$root" | cut -f1)
Depends: $DEPENDS
Recommends: xdg-desktop-portal
Section: utils
Priority: optional
Description: chat with language models on this computer
 Runs language models locally and shows, while they answer, what inference
 costs: time to first token, tokens per second, memory, quantization.
END
dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "$folder/first-token_${version}_$(dpkg --print-architecture).deb" >/dev/null
