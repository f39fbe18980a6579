"""Starts `dt-sim up` in a folder of its own and stops it again."""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("DT_BIN", ROOT / "build/release/bin")).resolve()
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20


class Environment:
    """A context manager; `endpoints` is the parsed endpoints.json."""

    def __init__(self, *arguments, devices=12):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="dt-it-"))
        self.run_dir = self.folder / "run"
        self.arguments = ["--devices", str(devices), "--org-port", "0", "--mtls-port", "0",
                          *map(str, arguments)]
        self.process = None
        self.endpoints = None

    def __enter__(self):
        command = [BIN / "dt-sim", "up", "--run-dir", self.run_dir, *self.arguments]
        self.output = self.folder / "up.txt"
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            self.endpoints = self._wait_for_endpoints()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _wait_for_endpoints(self):
        path = self.run_dir / "endpoints.json"  # Written last of all.
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if path.exists():
                return json.loads(path.read_text())
            if self.process.poll() is not None:
                raise AssertionError(f"dt-sim up ended with {self.process.returncode}:\n"
                                     + self.output.read_text()[-4000:])
            time.sleep(0.05)
        raise AssertionError(f"dt-sim up was not ready in {START_SECONDS_MAX} s:\n"
                             + self.output.read_text()[-4000:])

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                if kind is None:
                    raise AssertionError(f"dt-sim up did not stop in {STOP_SECONDS_MAX} s")
        if kind is not None:
            print(f"output of dt-sim up:\n{self.output.read_text()[-4000:]}")
        if not os.environ.get("DT_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def user(self, name):
        return next(u for u in self.endpoints["users"] if u["name"] == name)

    def device(self, state):
        return next(d for d in self.endpoints["devices"] if d["state"] == state)

    def device_and_user(self, state="enrolled", number=0):
        """A device of that state and its user, one with a password and a second factor; with
        another number another one."""
        pairs = [(device, self.user(device["user"])) for device in self.endpoints["devices"]
                 if device["state"] == state]
        fitting = [(device, user) for device, user in pairs if user.get("totp_secret")]
        if number >= len(fitting):
            raise AssertionError(f"{len(fitting)} {state} devices have a user with a second factor")
        return fitting[number]

    def path_of(self, text, name):
        """A file that holds `text` when it is PEM, else the path that it is."""
        if not text.startswith("-----BEGIN"):
            path = pathlib.Path(text)
            return path if path.is_absolute() else self.run_dir / path
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def component(self, program):
        """Process id and command line of a service, with `--processes`."""
        for pid in children_of(self.process.pid):
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
            if command and pathlib.Path(command[0]).name == program:
                return pid, command
        raise AssertionError(f"no {program} runs below dt-sim up")

    def dtctl(self, *arguments, check=True):
        return run(BIN / "dtctl", "--endpoints", self.run_dir / "endpoints.json", *arguments,
                   check=check)


def children_of(pid):
    """The process and all below it."""
    found = [pid]
    for parent in found:
        for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def free_port():
    """From below the range of outgoing connections, so that none of those takes it meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.1)


def run(*command, check=True, timeout=30, **options):
    """Runs a program; its output is in the failure when it fails."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                            timeout=timeout, stdin=subprocess.DEVNULL, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\nended with {result.returncode}\n"
                             f"{result.stdout}{result.stderr}")
    return result


class EnvironmentTest(unittest.TestCase):
    """One environment for all tests of a class; ARGUMENTS go to `dt-sim up`."""
    ARGUMENTS = ()
    DEVICES = 12

    @classmethod
    def setUpClass(cls):
        cls.environment = Environment(*cls.ARGUMENTS, devices=cls.DEVICES)
        cls.environment.__enter__()
        cls.addClassCleanup(cls.environment.__exit__, None, None, None)
        cls.endpoints = cls.environment.endpoints
