"""The Debian packages of agent and IWA: made by cpack, installed into a bare folder by dpkg, run there
by chroot, and removed. The folder has the libraries of this system and no package but ours."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support.environment import BIN, run

BUILD = BIN.parent
PROGRAMS_OF_THE_FOLDER = ("/bin/sh", "/usr/bin/sed")
DATABASE = ("status", "available", "info", "updates", "triggers")


def libraries(program):
    """The shared libraries that a program needs, as paths."""
    listing = run("ldd", program).stdout
    return [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", listing)]


def copy_into(root, path):
    target = root / pathlib.Path(path).resolve().relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(path, target)
    named = root / pathlib.Path(path).relative_to("/")
    if not named.exists():
        named.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, named)


@unittest.skipUnless(shutil.which("cpack") and shutil.which("dpkg-shlibdeps"),
                     "cpack or dpkg-dev is not installed: tools/setup --tests")
class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="dt-packages-", ignore_cleanup_errors=True)
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder, timeout=180)
        cls.packages = {path.name.split("_")[0]: path for path in cls.folder.glob("*.deb")}

    def field(self, name, field):
        return run("dpkg-deb", "--field", self.packages[name], field).stdout.strip()

    def test_they_say_what_they_need_and_hold(self):
        self.assertEqual(set(self.packages), {"dt-agent", "dt-iwa"})
        for library in ("libnss3", "libkrb5-3", "libssl3", "ca-certificates"):
            self.assertIn(library, self.field("dt-agent", "Depends"))
        self.assertIn("libgssapi-krb5-2", self.field("dt-iwa", "Depends"))
        content = run("dpkg-deb", "--contents", self.packages["dt-agent"]).stdout
        for path in ("./usr/bin/dt-agent", "./usr/lib/systemd/system/devicetrust-devicetask.timer",
                     "./usr/lib/systemd/system/devicetrust-devicetask@.service",
                     "./usr/lib/systemd/user/devicetrust-usertask.timer",
                     "./usr/share/device-trust/detect-device-trust"):
            self.assertIn(path, content)
        self.assertNotIn("dt-sim", content)
        self.assertIn("./usr/bin/dt-iwa",
                      run("dpkg-deb", "--contents", self.packages["dt-iwa"]).stdout)

    @unittest.skipUnless(os.geteuid() == 0, "only root may chroot")
    def test_installed_run_and_removed_in_a_bare_folder(self):
        root = self.folder / "root"
        for name in DATABASE:
            path = root / "var/lib/dpkg" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name in ("status", "available"):
                path.touch()
            else:
                path.mkdir()
        for program in (*PROGRAMS_OF_THE_FOLDER, BIN / "dt-agent", BIN / "dt-iwa"):
            for library in libraries(program):
                copy_into(root, library)
        for program in PROGRAMS_OF_THE_FOLDER:
            copy_into(root, program)
        (root / "etc/ssl/certs").mkdir(parents=True)
        (root / "etc/ssl/certs/ca-certificates.crt").touch()
        (root / "etc/krb5.conf").write_text("[libdefaults]\n default_realm = CORP.TEST\n")
        (root / "tmp").mkdir(exist_ok=True)
        (root / "dev").mkdir()
        (root / "dev/null").touch()  # A file takes what nobody wants, too.

        # The libraries are there as files, not as packages.
        dpkg = ("dpkg", f"--root={root}", "--force-depends")
        run(*dpkg, "--install", *self.packages.values())
        detect = ("chroot", root, "/bin/sh", "/usr/share/device-trust/detect-device-trust")
        self.assertEqual(run(*detect, check=False).returncode, 1)

        def agent(*arguments):
            return subprocess.run(["chroot", root, "/usr/bin/dt-agent", *arguments], text=True,
                                  capture_output=True, env={**os.environ, "HOME": "/tmp"}, timeout=30)

        installed = agent("install", "OrgURL=https://acme.example.com")
        self.assertEqual(installed.returncode, 0, installed.stderr)
        self.assertTrue(run(*detect).stdout.startswith("Device Trust agent "))
        status = agent("status", "--json")
        self.assertEqual(status.returncode, 0, status.stderr)
        self.assertIn("https://acme.example.com", status.stdout)
        self.assertEqual(agent("run", "--user").returncode, 3)  # Nobody is logged on.
        version = subprocess.run(["chroot", root, "/usr/bin/dt-iwa", "--version"],
                                 capture_output=True, timeout=30)
        self.assertEqual(version.returncode, 0, version.stderr)

        run(*dpkg, "--remove", "dt-agent", "dt-iwa")
        self.assertFalse((root / "usr/bin/dt-agent").exists())
        self.assertFalse((root / "etc/device-trust/agent.conf").exists())
        self.assertFalse((root / "usr/share/device-trust").exists())


if __name__ == "__main__":
    unittest.main()
