"""A dt-policy of its own beside an environment of `dt-sim up`, with the environment's certificates."""
import json
import subprocess
import time

from support.environment import BIN, free_port, run

OWN = ("database", "log-database", "internal-listen", "ready-file", "log-file", "metrics-listen")


class Policy:
    """A context manager. `groups` is appended to its options; with `directory` it replaces those that
    say where the environment's domains are."""

    def __init__(self, environment, folder, groups, directory=""):
        self.environment = environment
        self.folder = folder
        self.groups = groups
        self.directory = directory
        self.port = free_port()

    def __enter__(self):
        given = (self.environment.run_dir / "dt-policy.toml").read_text()
        head, *tables = given.split("[[")
        kept = [line for line in head.splitlines() if line.split("=")[0].strip() not in OWN]
        own = [f'database = "sqlite:{self.folder}/org.db"',
               f'log-database = "sqlite:{self.folder}/log.db"',
               f'internal-listen = "127.0.0.1:{self.port}"']
        directories = self.directory or "".join("[[" + table for table in tables)
        config = self.folder / "dt-policy.toml"
        config.write_text("\n".join([*kept, *own, directories, self.groups]) + "\n")
        ready = self.folder / "ready"
        self.output = self.folder / "dt-policy.out"
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(
                [BIN / "dt-policy", "--config", config, "--ready-file", ready], stdout=output,
                stderr=subprocess.STDOUT, cwd=self.environment.run_dir)
        deadline = time.monotonic() + 30
        while not ready.exists():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError("dt-policy did not start:\n" + self.output.read_text()[-3000:])
            time.sleep(0.02)
        return self

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        self.process.wait(20)
        if kind is not None:
            print("output of dt-policy:\n" + self.output.read_text()[-3000:])

    def dtctl(self, *arguments, check=True):
        admin = self.environment.endpoints["grpc"]["policy"]["internal"]
        paths = {name: self.environment.path_of(admin[name], f"admin-{name}.pem")
                 for name in ("ca_pem", "cert_pem", "key_pem")}
        return run(BIN / "dtctl", "--org-address", f"127.0.0.1:{self.port}", "--deployment-ca",
                   paths["ca_pem"], "--cert", paths["cert_pem"], "--key", paths["key_pem"], *arguments,
                   check=check, timeout=60)

    def sync(self, *arguments, check=True):
        """The status of the first domain, after a reading."""
        answer = self.dtctl("people", "sync", *(arguments or ("--run",)), "--json", check=check)
        return json.loads(answer.stdout)["domains"][0]

    def person(self, who):
        return json.loads(self.dtctl("people", "show", who, "--json").stdout)
