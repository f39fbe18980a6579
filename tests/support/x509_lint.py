"""Holds certificates and revocation lists against RFC 5280 and the profiles of docs/behaviour.md.
What is in them is what OpenSSL prints: a reader that shares no code with the one who wrote them."""
import re

from support.environment import run

EXTENSION = re.compile(r"^ {12}(X509v3 [^:]+|Authority Information Access|OCSP No Check): ?(critical)?\s*$")
KEY_ID = re.compile(r"(?:[0-9A-F]{2}:)+[0-9A-F]{2}")

CA = {"X509v3 Basic Constraints": True, "X509v3 Key Usage": True,
      "X509v3 Subject Key Identifier": False, "X509v3 Authority Key Identifier": False}
PROFILES = {  # The extensions, and whether each is critical: these and no others.
    "root": CA,
    "issuer": CA,
    "device": {**CA, "X509v3 Extended Key Usage": False,
               "X509v3 Subject Alternative Name": False,
               "X509v3 CRL Distribution Points": False, "Authority Information Access": False},
    "ocsp responder": {**CA, "X509v3 Extended Key Usage": False, "OCSP No Check": False},
    "saml signing": {**CA, "X509v3 Extended Key Usage": False},
}
CONSTRAINTS = {"root": "CA:TRUE, pathlen:1", "issuer": "CA:TRUE, pathlen:0", "device": "CA:FALSE",
               "ocsp responder": "CA:FALSE", "saml signing": "CA:FALSE"}
PURPOSES = {"device": "TLS Web Client Authentication", "ocsp responder": "OCSP Signing"}
CA_USAGE = "Certificate Sign, CRL Sign"


def text_of(kind, path, form="PEM"):
    return run("openssl", kind, "-inform", form, "-in", path, "-noout", "-text").stdout


def extensions_of(text):
    """Name to (critical, value)."""
    found = {}
    name = None
    for line in text.splitlines():
        match = EXTENSION.match(line)
        if match:
            name = match[1]
            found[name] = (match[2] is not None, "")
        elif name and line.startswith(" " * 16):
            found[name] = (found[name][0], (found[name][1] + "\n" + line.strip()).strip())
        else:
            name = None
    return found


def problems_of_envelope(path, kind, text):
    """What every signed structure has to keep: DER throughout, one algorithm inside and outside."""
    problems = []
    der = path.with_suffix(".lint.der")
    run("openssl", kind, "-in", path, "-outform", "DER", "-out", der)
    again = path.with_suffix(".again.der")
    run("openssl", kind, "-inform", "DER", "-in", der, "-outform", "DER", "-out", again)
    if der.read_bytes() != again.read_bytes():
        problems.append("is not DER")
    algorithms = set(re.findall(r"Signature Algorithm: (\S+)", text))
    if len(algorithms) != 1 or not algorithms <= {"ecdsa-with-SHA256", "sha256WithRSAEncryption"}:
        problems.append(f"is signed with {algorithms}")
    # RFC 5280, section 4.1.2.5: UTCTime until 2049, in seconds, of Zulu.
    for line in run("openssl", "asn1parse", "-inform", "DER", "-in", der).stdout.splitlines():
        time = re.search(r"(UTCTIME|GENERALIZEDTIME) +:(\S+)", line)
        if time and not (time[1] == "UTCTIME" and re.fullmatch(r"[0-4]\d{11}Z", time[2])):
            problems.append(f"has the time {time[1]} {time[2]}")
    return problems


def lint_certificate(path, profile, issuer_path=None):
    """What is wrong with the PEM certificate at `path`; empty: nothing. `issuer_path`: None for
    one that signed itself."""
    text = text_of("x509", path)
    extensions = extensions_of(text)
    problems = problems_of_envelope(path, "x509", text)
    if "Version: 3 (0x2)" not in text:
        problems.append("is not of version 3")
    serial = run("openssl", "x509", "-in", path, "-noout", "-serial").stdout.split("=")[1].strip()
    if serial.startswith("-") or int(serial, 16) == 0 or len(serial) > 40:
        problems.append(f"has the serial {serial}")

    expected = PROFILES[profile]
    critical = {name: extension[0] for name, extension in extensions.items()}
    if critical != expected:
        problems.append(f"has {critical}, the profile {expected}")
        return problems
    if extensions["X509v3 Basic Constraints"][1] != CONSTRAINTS[profile]:
        problems.append(f"has the constraints {extensions['X509v3 Basic Constraints'][1]}")
    usage = extensions["X509v3 Key Usage"][1]
    if usage != (CA_USAGE if "CA:TRUE" in CONSTRAINTS[profile] else "Digital Signature"):
        problems.append(f"has the usage {usage}")
    if profile in PURPOSES and extensions["X509v3 Extended Key Usage"][1] != PURPOSES[profile]:
        problems.append(f"is for {extensions['X509v3 Extended Key Usage'][1]}")
    access = extensions.get("Authority Information Access", (False, ""))[1]
    if profile == "device" and not re.fullmatch(
            r"OCSP - URI:http://[^\n]+/ocsp\nCA Issuers - URI:http://[^\n]+/ca/[0-9a-f]+\.crt", access):
        problems.append(f"says of its issuer {access}")
    # RFC 5280, section 4.2.1.1: the issuer's key, by the identifier that its certificate has.
    above = extensions_of(text_of("x509", issuer_path)) if issuer_path else extensions
    named = KEY_ID.search(extensions["X509v3 Authority Key Identifier"][1])
    if not named or named[0] != above["X509v3 Subject Key Identifier"][1]:
        problems.append("names another key as its issuer's")
    for line in text.splitlines():
        if re.match(r"^ {8}(Issuer|Subject): *$", line):
            problems.append("has an empty name")
    return problems


def lint_crl(path, issuer_path):
    """The same of the PEM revocation list at `path` (RFC 5280, section 5)."""
    text = text_of("crl", path)
    problems = problems_of_envelope(path, "crl", text)
    if "Version 2 (0x1)" not in text:
        problems.append("is not of version 2")
    head = text.split("evoked Certificates")[0]  # Entries have extensions of their own.
    found = set(re.findall(r"^ {12}(X509v3 [^:]+): ?(critical)?\s*$", head, re.M))
    if {("X509v3 CRL Number", ""), ("X509v3 Authority Key Identifier", "")} != found:
        problems.append(f"has the extensions {found}")
    if "Next Update: NONE" in text:
        problems.append("says not when the next one comes")
    above = extensions_of(text_of("x509", issuer_path))
    if above["X509v3 Subject Key Identifier"][1] not in text:
        problems.append("names another key as its issuer's")
    if re.search(r"X509v3 CRL Reason Code:\s*Unspecified", text):  # Section 5.3.1: left out then.
        problems.append("gives a reason that says nothing")
    if "Revoked Certificates:\n" in text and "Serial Number:" not in text:
        problems.append("has an empty list of certificates")  # Section 5.1.2.6: absent then.
    return problems
