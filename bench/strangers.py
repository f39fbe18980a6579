"""What strangers send, by octets: for bench/hostile and bench/request_cost."""
import base64
import functools
import os
import random
import re
import socket
import ssl
import struct
import urllib.parse
import zlib

SERVICES = ("dt-ca", "dt-iwa", "dt-policy", "dt-gateway")
METHODS = {"dt-ca": "/devicetrust.ca.v1.EnrollmentService/Enroll",
           "dt-iwa": "/devicetrust.iwa.v1.DomainProofService/IssueDeviceToken"}
FEW = [f"127.201.0.{number}" for number in range(1, 5)]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING = 0, 1, 3, 4, 6
END_STREAM, END_HEADERS = 1, 4


def any_address():
    return f"127.{random.randrange(1, 200)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def connect(port, source):
    return socket.create_connection(("127.0.0.1", port), 5, (source, 0))


@functools.cache
def context_of(alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def tls(port, name, source, alpn=()):
    return context_of(tuple(alpn)).wrap_socket(connect(port, source), server_hostname=name)


@functools.cache
def client_hello(name, alpn=()):
    """The same each time: a server cannot tell, and it costs us nothing."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context_of(tuple(alpn)).wrap_bio(into, out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


# HTTP/2 (RFC 9113) and gRPC.

def frame(kind, flags, stream, content=b""):
    head = struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    return head + content


def _integer(number):
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def _field(name, value):  # RFC 7541, section 6.2.2, without Huffman's code.
    def text(octets):
        size = len(octets)
        return (bytes([size]) if size < 127 else bytes([127]) + _integer(size - 127)) + octets
    return b"\x00" + text(name) + text(value)


def headers(method, more=()):
    fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":path", method.encode()),
              (b":authority", b"h"), (b"content-type", b"application/grpc"), (b"te", b"trailers"),
              *more]
    return b"".join(_field(*one) for one in fields)


def call_head(stream, method, more=()):
    return frame(HEADERS, END_HEADERS, stream, headers(method, more))


def call_message(stream, content):
    message = b"\x00" + struct.pack(">I", len(content)) + content
    parts = [message[at:at + 16_000] for at in range(0, len(message), 16_000)]
    return b"".join(frame(DATA, END_STREAM if at + 1 == len(parts) else 0, stream, part)
                    for at, part in enumerate(parts))


def proto_field(number, content):
    """A field of bytes, text or a message."""
    return _integer(number << 3 | 2) + _integer(len(content)) + content


# SAML (bindings 3.4.4.1, 3.5.4).

def saml_request(sso_url, issuer, issued, large=True):
    """`large`: the elements, attributes and namespaces that are allowed, with long names."""
    content = declarations = ""
    if large:
        names = [f"{'n' * 60}{at:02}" for at in range(17)]
        declarations = "".join(f' xmlns:{name}="urn:{at}"' for at, name in enumerate(names))
        content = "<p:Extensions>" + "".join(
            f'<{names[at % 17]}:e {names[at % 17]}:a="" {names[(at + 1) % 17]}:b=""/>'
            for at in range(80)) + "</p:Extensions>"
    return ('<p:AuthnRequest xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"'
            ' xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion" ID="_r1" Version="2.0"'
            f' IssueInstant="{issued}" Destination="{sso_url}"{declarations}>'
            f"<a:Issuer>{issuer}</a:Issuer>{content}</p:AuthnRequest>")


def saml_redirect(request):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(request.encode()) + deflate.flush()
    return urllib.parse.urlencode({"SAMLRequest": base64.b64encode(packed).decode()})


def saml_form(request):
    return urllib.parse.urlencode({"SAMLRequest": base64.b64encode(request.encode()).decode()})


# HTTP/1.1.

def get(host, target, more=""):
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


def post(host, target, body, size=None):
    return (f"POST {target} HTTP/1.1\r\nHost: {host}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body) if size is None else size}\r\n\r\n{body}").encode()


def listeners_of(run_dir):
    """From what the services say when they are ready; None until all have."""
    found = []
    for service in SERVICES:
        log = run_dir / f"{service}.log"
        ready = re.search(r'"process.ready","addresses":"([^"]*)"',
                          log.read_text() if log.exists() else "")
        if not ready:
            return None
        for entry in ready.group(1).split():
            kind, _, address = entry.partition("=")
            found.append({"service": service, "kind": kind, "name": f"{service} {kind}",
                          "port": int(address.rpartition(":")[2]), "tls": kind != "http",
                          "alpn": ("h2",) if kind in ("edge", "internal") else (),
                          "host": f"{kind}.localhost"})
    return found
