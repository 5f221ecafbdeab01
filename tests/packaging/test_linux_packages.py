"""What is made of a bundle for Linux: a .tar.gz and a .deb, with menu entry, icon and file type."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from macos_plist import URL_SCHEME

from tests.packaging.conftest import PACKAGING

LINUX = PACKAGING / "linux"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return the folder of the packages of a bundle that is a stand-in."""
    bundle, icons = tmp_path / "dist" / "first-token", tmp_path / "icons"
    (bundle / "_internal").mkdir(parents=True)
    icons.mkdir()
    (bundle / "first-token").write_text("#!/bin/sh\necho first-token\n", encoding="utf-8")
    (bundle / "first-token").chmod(0o755)
    (bundle / "_internal" / "LICENSE").write_text("Apache", encoding="utf-8")
    (icons / "first-token.png").write_bytes(b"PNG")
    subprocess.run(
        ["sh", str(LINUX / "package.sh"), str(bundle), str(icons), str(tmp_path / "packages"), "1.2.3"],
        check=True,
        timeout=100,
    )
    return tmp_path / "packages"


def test_the_archive_holds_the_bundle_and_no_user_of_the_builder(packages: Path) -> None:
    (file,) = packages.glob("first-token-1.2.3-linux-*.tar.gz")
    with tarfile.open(file) as archive:
        members = {member.name: member for member in archive.getmembers()}
    assert members["first-token/first-token"].mode & 0o111
    assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "")}


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb here")
def test_the_debian_package_installs_program_menu_entry_icon_and_file_type(packages: Path, tmp_path: Path) -> None:
    (file,) = packages.glob("first-token_1.2.3_*.deb")
    fields = subprocess.run(["dpkg-deb", "-f", str(file)], capture_output=True, text=True, check=True).stdout
    assert "Version: 1.2.3\n" in fields
    assert "Depends: libc6 (>= 2.34)," in fields
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "-x", str(file), str(root)], check=True)
    assert (root / "usr/bin/first-token").readlink() == Path("/opt/first-token/first-token")
    assert (root / "opt/first-token/first-token").stat().st_mode & 0o111
    for name in ("applications/first-token.desktop", "mime/packages/first-token.xml"):
        assert (root / "usr/share" / name).is_file()
    assert (root / "usr/share/icons/hicolor/512x512/apps/first-token.png").is_file()


def test_the_menu_entry_opens_models_and_links() -> None:
    lines = (LINUX / "first-token.desktop").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "[Desktop Entry]"
    entry = dict(line.split("=", 1) for line in lines[1:])
    assert entry["Exec"] == "first-token --open %u"
    assert entry["MimeType"].split(";")[:2] == ["application/x-gguf", f"x-scheme-handler/{URL_SCHEME}"]
    assert '<mime-type type="application/x-gguf">' in (LINUX / "first-token-mime.xml").read_text(encoding="utf-8")
