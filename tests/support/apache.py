"""mod_auth_mellon and Shibboleth's mod_shib, each in an Apache of its own, with nothing of the system's
configuration."""
import os
import pathlib
import pwd
import shutil
import socket
import subprocess

from support.environment import free_port, wait_until
from support.saml import NUMBERS, descriptor

MODULES = "/usr/lib/apache2/modules"


class Apache:
    """Serves `configuration` on a free port of loopback, as somebody without rights."""

    def __init__(self, folder, name, modules, configuration):
        self.port = free_port()
        self.origin = f"http://{name}.localhost:{self.port}"
        self.folder = pathlib.Path(folder) / name
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "htdocs").mkdir(parents=True)
        (self.folder / "htdocs/index.html").write_text("<title>An app</title>")
        (self.folder / "htdocs/bye.html").write_text("<title>Bye</title>")
        self.modules, self.configuration = modules, configuration
        self.process = None

    def start(self, **values):
        loads = "".join(f"LoadModule {each}_module {MODULES}/mod_{each}.so\n" for each in
                        ["mpm_event", "authn_core", "authz_core", "authz_user", "dir", "headers",
                         "alias", *self.modules])
        who = ""
        if os.geteuid() == 0:  # It begins as root, and its children as nobody.
            who = "User nobody\nGroup nogroup\n"
            self.give_away()
        config = self.folder / "httpd.conf"
        config.write_text(
            f"ServerRoot {self.folder}\nServerName {self.origin}\nListen 127.0.0.1:{self.port}\n"
            f"PidFile {self.folder}/httpd.pid\nErrorLog {self.folder}/error.log\n"
            f"DefaultRuntimeDir {self.folder}\n{loads}{who}"
            f"DocumentRoot {self.folder}/htdocs\nDirectoryIndex index.html\nUseCanonicalName On\n"
            + self.configuration.format(folder=self.folder, origin=self.origin, **values))
        self.process = subprocess.Popen(["/usr/sbin/apache2", "-f", config, "-DFOREGROUND"],
                                        stderr=subprocess.PIPE, text=True)
        wait_until(self._listens, 20, "Apache to listen")

    def give_away(self):
        """The folder, to whom everything here runs as."""
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        for parent in self.folder.parents:
            if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
                parent.chmod(0o755)

    def _listens(self):
        if self.process.poll() is not None:
            raise AssertionError(self.process.stderr.read())
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process.stderr.close()


class MellonProvider:
    """mod_auth_mellon, which reads our answers by lasso."""

    CONFIGURATION = """
<Location />
  MellonEnable info
  MellonEndpointPath /mellon
  MellonSecureCookie Off
  MellonSPMetadataFile {folder}/sp.xml
  MellonSPPrivateKeyFile {folder}/sp.key
  MellonSPCertFile {folder}/sp.crt
  MellonIdPMetadataFile {folder}/idp.xml
  MellonSignatureMethod rsa-sha256
  MellonRedirectDomains *
</Location>
<Location /secret>
  MellonEnable auth
  Require valid-user
  Header always set X-Principal "%{{MELLON_principal}}e"
</Location>
"""

    def __init__(self, folder, idp, pair, encrypted):
        self.id = f"mellon-{next(NUMBERS)}"
        self.apache = Apache(folder, self.id, ["auth_mellon"], self.CONFIGURATION)
        self.origin = self.apache.origin
        self.home = f"{self.origin}/secret/"
        self.logout = f"{self.origin}/mellon/logout?ReturnTo={self.origin}/bye.html"
        self._metadata = descriptor(f"{self.origin}/mellon/metadata",
                                    f"{self.origin}/mellon/postResponse",
                                    f"{self.origin}/mellon/logout", pair, encrypted)
        inside = self.apache.folder
        (inside / "htdocs/secret").mkdir()
        (inside / "htdocs/secret/index.html").write_text("<title>A secret</title>")
        (inside / "sp.xml").write_text(self._metadata)
        (inside / "idp.xml").write_text(idp.metadata)
        (inside / "sp.key").write_text(pair.key)
        (inside / "sp.crt").write_text(pair.certificate)
        self.apache.start()

    def metadata(self):
        return self._metadata

    def close(self):
        self.apache.close()


class ShibbolethProvider:
    """Shibboleth's service provider: mod_shib in Apache, and the daemon that reads our answers by
    OpenSAML."""

    APACHE = """
LoadModule mod_shib {modules}/mod_shib.so
ShibConfig {folder}/shibboleth2.xml
<Location /secret>
  AuthType shibboleth
  ShibRequestSetting requireSession 1
  Require shib-session
  Header always set X-Principal "%{{principal}}e"
</Location>
"""
    CONFIGURATION = """<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" clockSkew="180">
  <OutOfProcess logger="{folder}/logger"/>
  <InProcess logger="{folder}/logger"/>
  <UnixListener address="{folder}/shibd.sock"/>
  <StorageService type="Memory" id="mem" cleanupInterval="900"/>
  <SessionCache type="StorageService" StorageService="mem"/>
  <ReplayCache StorageService="mem"/>
  <RequestMapper type="Native"><RequestMap applicationId="default"/></RequestMapper>
  <ApplicationDefaults entityID="{origin}/shibboleth" REMOTE_USER="principal" signing="true"
      encryption="false">
    <Sessions lifetime="28800" timeout="3600" relayState="ss:mem" checkAddress="false"
        handlerSSL="false" cookieProps="http" redirectLimit="none">
      <SSO entityID="{idp}">SAML2</SSO>
      <LogoutInitiator type="Chaining" Location="/Logout">
        <LogoutInitiator type="SAML2" asynchronous="false"/>
        <LogoutInitiator type="Local"/>
      </LogoutInitiator>
      <md:SingleLogoutService xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata"
          Location="/SLO/Redirect" Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"/>
    </Sessions>
    <Errors supportContact="nobody@localhost"/>
    <MetadataProvider type="XML" validate="false" path="{folder}/idp.xml"/>
    <AttributeExtractor type="XML" validate="false" path="{folder}/attribute-map.xml"/>
    <CredentialResolver type="File" key="{folder}/sp.key" certificate="{folder}/sp.crt"/>
  </ApplicationDefaults>
  <SecurityPolicyProvider type="XML" validate="true" path="/etc/shibboleth/security-policy.xml"/>
  <ProtocolProvider type="XML" validate="true" reloadChanges="false"
      path="/etc/shibboleth/protocols.xml"/>
</SPConfig>
"""
    ATTRIBUTES = """<Attributes xmlns="urn:mace:shibboleth:2.0:attribute-map">
  <Attribute name="principal" nameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
      id="principal"/>
</Attributes>
"""

    def __init__(self, folder, idp, pair, encrypted):
        self.id = f"shib-{next(NUMBERS)}"
        self.apache = Apache(folder, self.id, [], self.APACHE)
        self.origin = self.apache.origin
        self.home = f"{self.origin}/secret/"
        self.logout = f"{self.origin}/Shibboleth.sso/Logout?return={self.origin}/bye.html"
        self._metadata = descriptor(f"{self.origin}/shibboleth",
                                    f"{self.origin}/Shibboleth.sso/SAML2/POST",
                                    f"{self.origin}/Shibboleth.sso/SLO/Redirect", pair, encrypted)
        inside = self.apache.folder
        (inside / "htdocs/secret").mkdir()
        (inside / "htdocs/secret/index.html").write_text("<title>A secret</title>")
        (inside / "idp.xml").write_text(idp.metadata)
        (inside / "sp.key").write_text(pair.key)
        (inside / "sp.crt").write_text(pair.certificate)
        (inside / "attribute-map.xml").write_text(self.ATTRIBUTES)
        (inside / "logger").write_text(
            "log4j.rootCategory=WARN, out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.out.layout=org.apache.log4j.BasicLayout\n")
        (inside / "shibboleth2.xml").write_text(
            self.CONFIGURATION.format(folder=inside, origin=self.origin, idp=idp.entity_id))
        nobody = {}
        if os.geteuid() == 0:
            self.apache.give_away()
            nobody = {"user": "nobody", "group": "nogroup"}
        self.log = open(inside / "shibd.log", "w")
        self.daemon = subprocess.Popen(
            ["/usr/sbin/shibd", "-F", "-f", "-c", inside / "shibboleth2.xml", "-p",
             inside / "shibd.pid"], stdout=self.log, stderr=subprocess.STDOUT, cwd=inside, **nobody)
        wait_until(lambda: self.daemon.poll() is not None or (inside / "shibd.sock").exists(), 20,
                   "shibd to listen")
        if self.daemon.poll() is not None:
            raise AssertionError((inside / "shibd.log").read_text())
        self.apache.start(modules=MODULES)

    def metadata(self):
        return self._metadata

    def close(self):
        self.apache.close()
        self.daemon.terminate()
        self.daemon.wait(20)
        self.log.close()
