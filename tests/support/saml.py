"""What a test of SAML needs besides a browser: the identity provider's metadata as fields, and
service providers of others, each with the same few methods:

    metadata()          the XML to register it with
    ask()               the address where its sign-on begins
    judge(fields)       what it makes of the form that the identity provider sends: a dict with
                        `name` and `attributes`; raises Refused
    leave()             the address where its sign-out begins, for who has just signed in
    left(query)         what came back after that; raises Refused
"""
import itertools
import json
import logging
import pathlib
import re
import subprocess
import urllib.parse
import warnings
import xml.etree.ElementTree as ElementTree

from support.environment import ROOT, run

NAMES = {"p": "urn:oasis:names:tc:SAML:2.0:protocol", "a": "urn:oasis:names:tc:SAML:2.0:assertion",
         "d": "http://www.w3.org/2000/09/xmldsig#", "md": "urn:oasis:names:tc:SAML:2.0:metadata"}
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ONE_KEY = re.compile("(?s)(<md:KeyDescriptor .*?</md:KeyDescriptor>).*</md:KeyDescriptor>")
NUMBERS = itertools.count(1)  # Each app is another one.
BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:"


class Refused(Exception):
    """A service provider did not take what it was sent."""


class IdentityProvider:
    """Of its metadata."""

    def __init__(self, metadata):
        self.metadata = metadata
        root = ElementTree.fromstring(metadata)
        self.entity_id = root.get("entityID")
        redirect = f"[@Binding='{BINDING}HTTP-Redirect']"
        self.sign_on = root.find(f".//md:SingleSignOnService{redirect}", NAMES).get("Location")
        self.sign_out = root.find(f".//md:SingleLogoutService{redirect}", NAMES).get("Location")
        self.certificates = ["".join(each.text.split())
                             for each in root.iterfind(".//d:X509Certificate", NAMES)]


class KeyPair:
    """An RSA key and its certificate, as PEM text and files."""

    def __init__(self, folder, name):
        self.key_file = folder / f"{name}.key"
        self.certificate_file = folder / f"{name}.crt"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            f"/CN={name}", "-keyout", self.key_file, "-out", self.certificate_file)
        self.key = self.key_file.read_text()
        self.certificate = self.certificate_file.read_text()
        self.base64 = "".join(self.certificate.split("-----")[2].split())


def descriptor(entity_id, acs, slo, pair, encrypted=False, attributes=""):
    """Metadata for those who don't make their own."""
    uses = ["signing"] + (["encryption"] if encrypted else [])
    keys = "".join(
        f'<md:KeyDescriptor use="{use}"><ds:KeyInfo xmlns:ds="{NAMES["d"]}"><ds:X509Data>'
        f"<ds:X509Certificate>{pair.base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        "</md:KeyDescriptor>" for use in uses)
    return (f'<md:EntityDescriptor xmlns:md="{NAMES["md"]}" entityID="{entity_id}">'
            f'<md:SPSSODescriptor AuthnRequestsSigned="true" {attributes}'
            f' protocolSupportEnumeration="{NAMES["p"]}">{keys}'
            f'<md:SingleLogoutService Binding="{BINDING}HTTP-Redirect" Location="{slo}"/>'
            f'<md:AssertionConsumerService Binding="{BINDING}HTTP-POST" Location="{acs}"'
            ' index="1"/></md:SPSSODescriptor></md:EntityDescriptor>')


class NodeProvider:
    """node-saml or samlify, by tests/saml/judge.mjs."""

    def __init__(self, library, idp, pair, wants=("assertion",), encrypted=False):
        self.library = library
        self.encrypted = encrypted
        self.id = f"{library}-{next(NUMBERS)}"
        self.acs = f"https://{self.id}.example.com/acs"
        self.slo = f"https://{self.id}.example.com/slo"
        self.process = subprocess.Popen(
            ["node", "judge.mjs"], cwd=ROOT / "tests/saml", text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        answer = self._do("set", library=library, entityId=f"https://{self.id}.example.com",
                          acs=self.acs, slo=self.slo, wants=list(wants), encrypted=encrypted,
                          key=pair.key, certificate=pair.certificate,
                          idp={"entityId": idp.entity_id, "signOn": idp.sign_on,
                               "signOut": idp.sign_out, "certificates": idp.certificates,
                               # samlify verifies a signed query only by metadata with one key.
                               "metadata": ONE_KEY.sub(r"\1", idp.metadata)})
        self._metadata = answer["metadata"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def _do(self, what, **values):
        self.process.stdin.write(json.dumps({"do": what, **values}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise Refused(f"{self.id}: {answer['error']}")
        return answer

    def metadata(self):
        return self._metadata

    def ask(self):
        return self._do("ask")["url"]

    def judge(self, fields):
        return self._do("judge", response=fields["SAMLResponse"])

    def leave(self):
        return self._do("leave")["url"]

    def left(self, query):
        return self._do("left", query=query)


class PySaml2Provider:
    """pysaml2, with xmlsec1 below it, configured as its users do; both parts may be encrypted."""

    def __init__(self, folder, idp, pair, encrypted=False, wants=("response",), name=None):
        warnings.simplefilter("ignore", DeprecationWarning)
        logging.getLogger("saml2").setLevel(logging.CRITICAL)
        from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
        from saml2.client import Saml2Client
        from saml2.config import SPConfig
        self.redirect, self.post = BINDING_HTTP_REDIRECT, BINDING_HTTP_POST
        self.id = name or f"pysaml2-{next(NUMBERS)}"
        self.encrypted = encrypted
        self.acs = f"https://{self.id}.example.com/acs"
        self.slo = f"https://{self.id}.example.com/slo"
        self.pair = pair
        self.wants = wants
        idp_file = pathlib.Path(folder) / f"{self.id}-idp.xml"
        idp_file.write_text(idp.metadata)
        files = {"key_file": str(pair.key_file), "cert_file": str(pair.certificate_file)}
        config = SPConfig().load({
            "entityid": f"https://{self.id}.example.com",
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "metadata": {"local": [str(idp_file)]},
            "allow_unknown_attributes": True,
            "service": {"sp": {
                "endpoints": {
                    "assertion_consumer_service": [(self.acs, BINDING_HTTP_POST)],
                    "single_logout_service": [(self.slo, BINDING_HTTP_REDIRECT)]},
                "authn_requests_signed": True, "logout_requests_signed": True,
                "want_response_signed": "response" in wants,
                "want_assertions_signed": "assertion" in wants,
                "allow_unsolicited": True}},
            **files, "encryption_keypairs": [files] if encrypted else []})
        self.client = Saml2Client(config=config)
        self.idp = idp
        self.waiting = {}

    def close(self):
        pass

    def metadata(self):
        wanted = str("assertion" in self.wants).lower()
        return descriptor(f"https://{self.id}.example.com", self.acs, self.slo, self.pair,
                          self.encrypted, f'WantAssertionsSigned="{wanted}"')

    def ask(self):
        request_id, info = self.client.prepare_for_authenticate(
            entityid=self.idp.entity_id, relay_state="here", binding=self.redirect, sigalg=RSA_SHA256)
        self.waiting[request_id] = "/"
        return dict(info["headers"])["Location"]

    def judge(self, fields):
        try:
            self.response = self.client.parse_authn_request_response(
                fields["SAMLResponse"], self.post, outstanding=dict(self.waiting))
        except Exception as error:  # It has dozens of its own.
            raise Refused(f"{self.id}: {error!r}") from error
        if self.response is None:
            raise Refused(f"{self.id}: no response")
        return {"name": str(self.response.name_id.text), "attributes": self.response.ava}

    def leave(self):
        _, request = self.client.create_logout_request(
            self.idp.sign_out, issuer_entity_id=self.idp.entity_id,
            name_id=self.response.name_id, session_indexes=[self.response.session_info()["session_index"]],
            sign=False)
        info = self.client.apply_binding(self.redirect, str(request), self.idp.sign_out, "bye",
                                         sign=True, sigalg=RSA_SHA256)
        return dict(info["headers"])["Location"]

    def left(self, query):
        fields = dict(urllib.parse.parse_qsl(query))
        answer = self.client.parse_logout_request_response(fields["SAMLResponse"], self.redirect)
        if not answer.status_ok():
            raise Refused(f"{self.id}: the sign-out failed")
