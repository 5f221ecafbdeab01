#!/bin/sh
# "dist/First Token.app" as a disk image with a link to Applications: dist/First-Token-VERSION-arm64.dmg.
#
#   sh assets/packaging/macos/package.sh
#
# The app has been signed when it was built: ad hoc, or with FIRST_TOKEN_SIGNING_IDENTITY. Where NOTARY_KEY (a file),
# NOTARY_KEY_ID and NOTARY_ISSUER are set, Apple notarizes the image, and the ticket is stapled to it.
set -eu

cd "$(dirname "$0")/../../.."
app="dist/First Token.app"
version=$(plutil -extract CFBundleShortVersionString raw "$app/Contents/Info.plist")
image="dist/First-Token-$version-arm64.dmg"

codesign --verify --deep --strict "$app"
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT
cp -R "$app" "$staging/"
ln -s /Applications "$staging/Applications"
hdiutil create -quiet -ov -volname "First Token" -srcfolder "$staging" -fs HFS+ -format UDZO "$image"

if [ -n "${FIRST_TOKEN_SIGNING_IDENTITY:-}" ]; then
    codesign --sign "$FIRST_TOKEN_SIGNING_IDENTITY" --timestamp "$image"
fi
if [ -n "${NOTARY_KEY:-}" ]; then
    xcrun notarytool submit "$image" --key "$NOTARY_KEY" --key-id "$NOTARY_KEY_ID" --issuer "$NOTARY_ISSUER" --wait
    xcrun stapler staple "$image"
    xcrun stapler validate "$image"
fi
echo "$image"
