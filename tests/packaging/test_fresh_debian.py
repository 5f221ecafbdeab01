"""The bundle on a Debian that was installed a moment ago: nothing is there but what README says the bundle needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from desktop.self_test.result import SelfTestReport
from tests.packaging.conftest import NOBODY, PACKAGING, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
DEBIANS = {"12": "bookworm", "13": "trixie"}
INSTALL_TIMEOUT_S = 600
RUN_TIMEOUT_S = 400
UNREACHABLE = ("Failed getting release file", "Couldn't download", "Unable to connect", "unable to resolve")
NEEDED = re.compile(r"The bundle for Linux needs, on a fresh Debian 12 or 13, `([a-z0-9. +-]+)`")
HOME = "home/tester"


def needed_packages() -> list[str]:
    """Return the packages that README names."""
    found = NEEDED.search(" ".join((ROOT / "README.md").read_text(encoding="utf-8").split()))
    assert found is not None, "README does not say what the bundle needs"
    return found[1].split()


def mirror() -> str:
    """Return where this machine gets Debian from, by its own configuration; skip the test where it does not."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL)|$(CREATED_BY)|$(SITE)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    sites = [line.removeprefix("Debian|Packages|") for line in listed.splitlines() if line.startswith("Debian|Pack")]
    if not sites:
        pytest.skip("this machine has no mirror of Debian")
    return sites[0]


@contextmanager
def fresh_debian(release: str) -> Iterator[Path]:
    """Yield the root of a minimal Debian with the packages that the bundle needs, and with a `/proc`."""
    for program in ("debootstrap", "apt-get", "chroot"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    if os.geteuid() != 0:
        pytest.skip("only root can install a Debian into a folder")
    with TemporaryDirectory(prefix="first-token-debian-") as name:
        root = Path(name)
        root.chmod(0o755)
        install(release, root)
        if subprocess.run(["mount", "-t", "proc", "proc", str(root / "proc")], check=False).returncode != 0:
            pytest.skip("nothing may be mounted here")
        try:
            yield root
        finally:
            subprocess.run(["umount", str(root / "proc")], check=True)


def install(release: str, root: Path) -> None:
    """Install a Debian; skip the test where its mirror cannot be reached."""
    options = ["--variant=minbase", f"--include={','.join(needed_packages())}"]
    done = subprocess.run(
        ["debootstrap", *options, release, str(root), mirror()],
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT_S,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode != 0 and any(sign in said for sign in UNREACHABLE):
        pytest.skip("the mirror of Debian cannot be reached")
    assert done.returncode == 0, said[-3000:]


@pytest.mark.parametrize("version", DEBIANS)
def test_the_bundle_passes_its_self_test_on_a_fresh_debian(bundle: Path, display: str, version: str) -> None:
    with fresh_debian(DEBIANS[version]) as root:
        assert (root / "etc/debian_version").read_text(encoding="utf-8").startswith(version)
        shutil.copytree(bundle, root / "opt/first-token", symlinks=True)
        (root / HOME).mkdir()
        os.chown(root / HOME, NOBODY, NOBODY)
        ended = subprocess.run(
            [
                *("chroot", f"--userspec={NOBODY}:{NOBODY}", str(root)),
                *("/opt/first-token/first-token", "--self-test", "--report", f"/{HOME}/report"),
            ],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": f"/{HOME}", "LANG": "C.UTF-8", "DISPLAY": display},
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        report = msgspec.json.decode((root / HOME / "report/self-test.json").read_bytes(), type=SelfTestReport)
    assert report.window.platform == "xcb"
    assert {engine.name for engine in report.engines} == {"mlx", "llamacpp"}
    assert report.device.os_version.startswith(f"Debian GNU/Linux {version}")


def test_the_debian_package_depends_on_what_readme_says() -> None:
    line = re.search(r'^DEPENDS="(.+)"$', (PACKAGING / "linux/package.sh").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    first_choices = {entry.split("|")[0].split("(")[0].strip() for entry in line[1].split(",")}
    assert first_choices - {"libc6"} == set(needed_packages())
