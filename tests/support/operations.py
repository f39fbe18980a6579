"""The commands of docs/operations.md, as they stand there, in one shell."""
import json
import os
import subprocess
import threading

from support.environment import BIN, ROOT, run

PAGE = ROOT / "docs/operations.md"
BLOCK_SECONDS_MAX = 60


def blocks(section):
    """The shell commands of one section of the page, as (line number, text)."""
    found, inside, text, begin = [], False, None, 0
    for number, line in enumerate(PAGE.read_text().splitlines(keepends=True), 1):
        if line.startswith("## "):
            inside = line.strip() == f"## {section}"
        elif inside and text is None and line == "```sh\n":
            text, begin = "", number + 1
        elif text is not None and line == "```\n":
            found.append((begin, text))
            text = None
        elif text is not None:
            text += line
    return found


class Shell:
    """A bash that stops at the first command that fails."""

    def __init__(self, folder, environment):
        self.folder = folder
        self.process = subprocess.Popen(["bash", "-euo", "pipefail"], cwd=folder, env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def run(self, line_number, text):
        script = self.folder / f"line-{line_number}.sh"
        script.write_text(text)
        watchdog = threading.Timer(BLOCK_SECONDS_MAX, self.kill)
        watchdog.start()
        try:
            self.process.stdin.write(f". ./{script.name} < /dev/null\necho done-{line_number}\n")
            self.process.stdin.flush()
            output = ""
            for line in self.process.stdout:
                if line == f"done-{line_number}\n":
                    return output
                output += line
            raise AssertionError(f"{PAGE.name}, the block of line {line_number} failed:\n{output}")
        finally:
            watchdog.cancel()

    def kill(self):
        """The shell and all services that it started."""
        try:
            os.killpg(self.process.pid, 9)
        except ProcessLookupError:
            pass


# Ports on loopback, for a deployment that is alone in its network namespace.
PORTS = {"ORG_LISTEN": 443, "MTLS_LISTEN": 8444, "POLICY": 7501, "CA": 7402, "IWA": 7302,
         "CA_EDGE": 7401, "IWA_EDGE": 7301, "CA_HTTP": 7403}


class Deployment:
    """The services of docs/operations.md in `folder`. `variables` are those that the page does not fill
    in, or should not."""

    def __init__(self, folder, variables):
        self.folder = folder
        listeners = {name: f"127.0.0.1:{port}" for name, port in PORTS.items()}
        self.environment = {**os.environ, **listeners, "PATH": f"{BIN}:{os.environ['PATH']}",
                            **variables}
        self.shell = Shell(folder, self.environment)

    def start(self, until, more=None, first=None):
        """The page's commands, the block that has `until` in it the last. `first` goes before the
        configuration of services, `more` behind it, by name."""
        for line, text in blocks("A deployment, step by step"):
            self.shell.run(line, text)
            if "cat > policy.toml" in text:
                for service, options in (first or {}).items():
                    file = self.folder / f"{service}.toml"
                    file.write_text(options + file.read_text())
                for service, addition in (more or {}).items():
                    with open(self.folder / f"{service}.toml", "a") as file:
                        file.write(addition)
            if until in text:
                return

    def stop(self):
        self.shell.kill()
        self.shell.process.wait()

    def dtctl(self, *arguments, check=True):
        return run(BIN / "dtctl", *arguments, cwd=self.folder, check=check, timeout=60,
                   env={**self.environment, "DTCTL_CONFIG": "admin.toml"})

    def json(self, *arguments):
        return json.loads(self.dtctl(*arguments, "--json").stdout)

    def log_of(self, service):
        return (self.folder / f"{service}.log").read_text()
