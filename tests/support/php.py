"""SimpleSAMLphp's service provider in PHP's own web server, with nothing of the system's configuration."""
import os
import pathlib
import shutil
import socket
import subprocess

from support.environment import free_port, wait_until
from support.saml import NUMBERS, descriptor

SIMPLESAMLPHP = pathlib.Path("/usr/share/simplesamlphp")


def missing():
    """What is not installed here; empty: nothing is missing."""
    if not shutil.which("php"):
        return "php-cli is not installed: tools/setup --tests"
    if not (SIMPLESAMLPHP / "www/module.php").exists():
        return "simplesamlphp is not installed: tools/setup --tests"
    return ""


class SimpleSamlPhpProvider:
    """A page behind a sign-on at /secret, out by /leave, which ends at /bye."""

    CONFIGURATION = """<?php
$config = [
  'baseurlpath' => '{origin}/',
  'certdir' => '{folder}/', 'loggingdir' => '{folder}/', 'datadir' => '{folder}/',
  'tempdir' => '{folder}', 'session.phpsession.savepath' => '{folder}',
  'secretsalt' => 'of this test alone', 'auth.adminpassword' => 'of this test alone',
  'timezone' => 'UTC', 'logging.handler' => 'stderr', 'store.type' => 'phpsession',
  'metadata.sources' => [['type' => 'xml', 'file' => '{folder}/idp.xml']],
];
"""
    SOURCES = """<?php
$config = ['default-sp' => [
  'saml:SP', 'entityID' => '{origin}/sp', 'idp' => '{idp}',
  'privatekey' => 'sp.key', 'certificate' => 'sp.crt',
  'sign.authnrequest' => true, 'sign.logout' => true, 'WantAssertionsSigned' => true,
  'assertion.encryption' => {encrypted},
  'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
]];
"""
    ROUTER = """<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (!in_array($path, ['/secret', '/leave', '/bye'])) return false;
require_once '/usr/share/simplesamlphp/lib/_autoload.php';
$source = new \\SimpleSAML\\Auth\\Simple('default-sp');
if ($path == '/leave') $source->logout('{origin}/bye');
if ($path == '/bye') {{ echo '<title>Bye</title>'; exit; }}
$source->requireAuth();
header('X-Principal: ' . $source->getAttributes()['principal'][0]);
echo '<title>A secret</title>';
"""

    def __init__(self, folder, idp, pair, encrypted):
        self.id = f"ssp-{next(NUMBERS)}"
        port = free_port()
        self.origin = f"http://{self.id}.localhost:{port}"
        self.home = f"{self.origin}/secret"
        self.logout = f"{self.origin}/leave"
        self._metadata = descriptor(
            f"{self.origin}/sp", f"{self.origin}/module.php/saml/sp/saml2-acs.php/default-sp",
            f"{self.origin}/module.php/saml/sp/saml2-logout.php/default-sp", pair, encrypted,
            'WantAssertionsSigned="true"')
        inside = pathlib.Path(folder) / self.id
        inside.mkdir()
        values = {"origin": self.origin, "folder": inside, "idp": idp.entity_id,
                  "encrypted": "true" if encrypted else "false"}
        for name, text in (("config.php", self.CONFIGURATION), ("authsources.php", self.SOURCES),
                           ("router.php", self.ROUTER)):
            (inside / name).write_text(text.format(**values))
        (inside / "idp.xml").write_text(idp.metadata)
        (inside / "sp.key").write_text(pair.key)
        (inside / "sp.crt").write_text(pair.certificate)
        self.log = open(inside / "php.log", "w")
        self.process = subprocess.Popen(
            ["php", "-d", "error_reporting=E_ALL&~E_DEPRECATED", "-S", f"127.0.0.1:{port}", "-t",
             SIMPLESAMLPHP / "www", inside / "router.php"],
            stdout=self.log, stderr=subprocess.STDOUT,
            env={**os.environ, "SIMPLESAMLPHP_CONFIG_DIR": str(inside)})
        wait_until(lambda: self._listens(port), 20, "PHP to listen")

    def _listens(self, port):
        if self.process.poll() is not None:
            raise AssertionError(pathlib.Path(self.log.name).read_text())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def metadata(self):
        return self._metadata

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
