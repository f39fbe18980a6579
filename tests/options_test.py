"""Options of the services, from their declaration to the running process: the same scenario runs
with the same options inside the simulator and as processes, and each way of giving them works."""
import pathlib
import re
import tempfile
import tomllib
import unittest

from support.environment import BIN, Environment, run

SERVICES = ("dt-ca", "dt-gateway", "dt-iwa", "dt-policy")
OF_THE_PROCESS = ("log-file", "log-level", "metrics-listen", "ready-file")  # An embedded service has none.

DIRECTORY = ("{domain = 'corp.test', netbios-name = 'CORP', domain-sid = 'S-1-5-21-1-2-3', "
             "url = 'ldaps://dc1', ca = 'ca.pem', bind-dn = 'svc', password-file = 'password'}")


def comparable(text, folder):
    """The options in a TOML text without what differs between any two runs: folder, ports and SIDs."""
    text = text.replace(str(folder), "RUN_DIR")
    text = re.sub(r"S-1-5-21(-[0-9]+){3}", "S-1-5-21-DOMAIN", text)
    text = re.sub(r"(127\.0\.0\.1|localhost):[0-9]+", r"\1:PORT", text)
    return {name: value for name, value in tomllib.loads(text).items()
            if name not in OF_THE_PROCESS}


def given(run_dir):
    """By service: what the simulator starts it with, here or as a process."""
    return {service: comparable((run_dir / f"{service}.toml").read_text(), run_dir)
            for service in SERVICES}


def arrived(environment):
    """By service: what its process makes of its command line."""
    options = {}
    for service in SERVICES:
        _, command = environment.component(service)
        options[service] = comparable(run(*command, "print-config").stdout, environment.run_dir)
    return options


class BothWays(unittest.TestCase):
    maxDiff = None

    def test_up_starts_services_with_the_same_options(self):
        with Environment() as embedded, Environment("--processes") as processes:
            expected = given(embedded.run_dir)
            self.assertEqual(arrived(processes), expected)
        self.assertEqual(expected["dt-gateway"]["org-host"], "org.localhost")

    def test_run_starts_services_with_the_same_options(self):
        with tempfile.TemporaryDirectory(prefix="dt-it-") as folder:
            options = []
            for way in ([], ["--processes"]):
                run_dir = pathlib.Path(folder, f"run{len(options)}")
                run(BIN / "dt-sim", "run", "--devices", "10", "--run-dir", run_dir, *way,
                    timeout=120)
                options.append(given(run_dir))
        self.assertEqual(options[0], options[1])


class Given(unittest.TestCase):
    def test_every_option_of_a_service_may_come_from_a_file_or_a_flag(self):
        with tempfile.TemporaryDirectory(prefix="dt-it-") as folder:
            for service in SERVICES:
                required = re.findall(r"--([a-z0-9-]+) [A-Z/]+ \(required\)",
                                      run(BIN / service, "--help").stdout)
                flags = [part for name in required for part in (f"--{name}", f"a {name}")]
                if service == "dt-iwa":
                    flags += ["--directory", DIRECTORY]
                printed = run(BIN / service, *flags, "print-config").stdout
                config = pathlib.Path(folder, f"{service}.toml")
                config.write_text(printed)
                again = run(BIN / service, "--config", config, "print-config").stdout
                self.assertEqual(again, printed)
                for name in required:
                    self.assertEqual(tomllib.loads(again)[name], f"a {name}")
                overridden = run(BIN / service, "--config", config, "--org", "other",
                                 "print-config").stdout
                self.assertEqual(tomllib.loads(overridden)["org"], "other")

    def test_without_a_required_option_nothing_starts(self):
        for service in SERVICES:
            result = run(BIN / service, "--org", "acme", check=False)
            self.assertEqual(result.returncode, 2, service)
            self.assertRegex(result.stderr, r"\d+ required options are missing:\n +--[a-z-]+ ")
            typo = run(BIN / service, "--orgg", "acme", check=False)
            self.assertEqual(typo.returncode, 2, service)
            self.assertIn("there is no option --orgg; did you mean --org?", typo.stderr)


if __name__ == "__main__":
    unittest.main()
