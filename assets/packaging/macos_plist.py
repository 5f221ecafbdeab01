"""Info.plist of `First Token.app`: what Finder and Launch Services know of it before it runs."""

from __future__ import annotations

import bundle_content as content

GGUF_TYPE = "org.ggml.gguf"
URL_SCHEME = "first-token"
ICON_NAME = "first-token.icns"
MINIMUM_MACOS = "15.0"
"""The oldest macOS that everything inside runs on; `lint_macos.py` holds every library to it."""


def info_plist() -> dict[str, object]:
    """Return the plist as a value that `plistlib` writes."""
    return {
        "CFBundleName": content.APP_NAME,
        "CFBundleDisplayName": content.APP_NAME,
        "CFBundleExecutable": content.EXECUTABLE_NAME,
        "CFBundleIdentifier": content.BUNDLE_ID,
        "CFBundleIconFile": ICON_NAME,
        "CFBundlePackageType": "APPL",
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleShortVersionString": content.version(),
        "CFBundleVersion": content.version(),
        "CFBundleDevelopmentRegion": "en",
        "LSApplicationCategoryType": "public.app-category.productivity",
        "LSArchitecturePriority": ["arm64"],
        "LSMinimumSystemVersion": MINIMUM_MACOS,
        "LSRequiresNativeExecution": True,
        "LSMultipleInstancesProhibited": True,
        "NSHighResolutionCapable": True,
        "NSSupportsAutomaticGraphicsSwitching": True,
        "NSRequiresAquaSystemAppearance": False,
        "NSPrincipalClass": "NSApplication",
        "NSHumanReadableCopyright": "First Token is free software under the Apache License 2.0.",
        "CFBundleDocumentTypes": [
            {
                "CFBundleTypeName": "GGUF language model",
                "CFBundleTypeRole": "Viewer",
                "LSHandlerRank": "Alternate",
                "LSItemContentTypes": [GGUF_TYPE],
                "CFBundleTypeExtensions": ["gguf"],
            }
        ],
        "UTImportedTypeDeclarations": [
            {
                "UTTypeIdentifier": GGUF_TYPE,
                "UTTypeDescription": "GGUF language model",
                "UTTypeConformsTo": ["public.data"],
                "UTTypeTagSpecification": {"public.filename-extension": ["gguf"]},
            }
        ],
        "CFBundleURLTypes": [
            {
                "CFBundleURLName": f"{content.BUNDLE_ID}.model",
                "CFBundleTypeRole": "Viewer",
                "CFBundleURLSchemes": [URL_SCHEME],
            }
        ],
    }
