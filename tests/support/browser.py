"""A small browser: redirects, cookies, forms, client certificates; every name under
.localhost is this machine."""
import base64
import hashlib
import hmac
import html.parser
import http.client
import itertools
import re
import socket
import ssl
import struct
import time
import urllib.parse
import zlib

REDIRECTS_MAX = 12
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"


class Page:
    def __init__(self, url, status, headers, body):
        self.url, self.status, self.headers, self.body = url, status, headers, body
        self.forms = _Forms.of(body)

    def form_with(self, field):
        return next((form for form in self.forms if field(form)), None)


class Form:
    def __init__(self, action):
        self.action, self.fields, self.types = action, {}, {}

    def name_of(self, kind):
        return next((name for name, one in self.types.items() if one == kind), None)


class _Forms(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms = []

    @classmethod
    def of(cls, body):
        parser = cls()
        parser.feed(body)
        return parser.forms

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "form":
            self.forms.append(Form(values.get("action", "")))
        elif tag == "input" and self.forms and values.get("name"):
            form = self.forms[-1]
            form.fields[values["name"]] = values.get("value") or ""
            kind = values.get("type", "text")
            if values.get("autocomplete") == "one-time-code":
                kind = "one-time-code"
            form.types[values["name"]] = kind


class Browser:
    """`certificate` and `key` are paths, shown when a server asks for a certificate. `ports`
    plays a load balancer: connections to a port go to the ports listed for it in turn."""

    def __init__(self, ca_bundle, certificate=None, key=None, user_agent=WINDOWS, ports=None,
                 source="127.0.0.1"):
        self.source = source  # Address of its own: one of 127.0.0.0/8.
        self.context = ssl.create_default_context(cafile=ca_bundle and str(ca_bundle))
        if certificate:
            self.context.load_cert_chain(str(certificate), str(key))
        self.user_agent = user_agent
        self.ports = {port: itertools.cycle(behind) for port, behind in (ports or {}).items()}
        self.cookies = {}  # (host, name): value
        self.visited = []

    def get(self, url):
        return self._go("GET", url, None)

    def post(self, url, fields):
        return self._go("POST", url, urllib.parse.urlencode(fields))

    def submit(self, page, form, **values):
        fields = {**form.fields, **values}
        return self.post(urllib.parse.urljoin(page.url, form.action or page.url), fields)

    def once(self, method, url, body=None, headers=None):
        """One request, no redirect followed."""
        parts = urllib.parse.urlsplit(url)
        tls = parts.scheme == "https"  # Apps may be without it on loopback.
        if tls:
            connection = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=15,
                                                     context=self.context)
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=15)
        port = next(self.ports[connection.port]) if connection.port in self.ports else connection.port
        raw = socket.create_connection(("127.0.0.1", port), 15, (self.source, 0))
        connection.sock = (self.context.wrap_socket(raw, server_hostname=parts.hostname) if tls
                           else raw)
        try:
            target = parts.path or "/"
            if parts.query:
                target += "?" + parts.query
            sent = {"User-Agent": self.user_agent, **(headers or {})}
            jar = [f"{name}={value}" for (host, name), value in self.cookies.items()
                   if host == parts.hostname]
            if jar:
                sent["Cookie"] = "; ".join(jar)
            if body is not None:
                sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            for line in answer.headers.get_all("Set-Cookie") or []:
                self._keep(parts.hostname, line)
            self.visited.append((method, url, answer.status))
            return Page(url, answer.status, answer.headers, text)
        finally:
            connection.close()

    def _keep(self, host, line):
        name, _, value = line.split(";")[0].strip().partition("=")
        if re.search(r";\s*max-age\s*=\s*(0|-\d+)", line, re.I):
            self.cookies.pop((host, name), None)
        else:
            self.cookies[(host, name)] = value

    def _go(self, method, url, body):
        for _ in range(REDIRECTS_MAX):
            page = self.once(method, url, body)
            if page.status not in (301, 302, 303, 307, 308):
                return page
            url = urllib.parse.urljoin(url, page.headers["Location"])
            if page.status in (301, 302, 303):
                method, body = "GET", None
        raise AssertionError(f"more than {REDIRECTS_MAX} redirects: {self.visited}")


def totp(secret_base32, at=None):
    """RFC 6238 with its defaults."""
    padded = secret_base32 + "=" * (-len(secret_base32) % 8)
    counter = int((time.time() if at is None else at) // 30)
    digest = hmac.new(base64.b32decode(padded, casefold=True), struct.pack(">Q", counter),
                      hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset:offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def authn_request_url(sso_url, issuer, request_id, relay_state="here"):
    """The SAML Redirect binding of a request without wishes."""
    issued = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    xml = (f'<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
           f'ID="{request_id}" Version="2.0" IssueInstant="{issued}" Destination="{sso_url}">'
           f'<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{issuer}</saml:Issuer>'
           f'</samlp:AuthnRequest>')
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(xml.encode()) + deflate.flush()
    return sso_url + "?" + urllib.parse.urlencode(
        {"SAMLRequest": base64.b64encode(packed).decode(), "RelayState": relay_state})


def sign_in(browser, url, user, password=None):
    """Follows sign-in and factor forms until there is something else; returns that page."""
    page = browser.get(url)
    for _ in range(4):
        password_form = page.form_with(lambda form: form.name_of("password"))
        code_form = page.form_with(lambda form: form.name_of("one-time-code"))
        if password_form:
            name = password_form.name_of("text") or password_form.name_of("email")
            page = browser.submit(page, password_form,
                                  **{name: user["principal"],
                                     password_form.name_of("password"): password or user["password"]})
        elif code_form:
            page = browser.submit(page, code_form,
                                  **{code_form.name_of("one-time-code"): totp(user["totp_secret"])})
        else:
            return page
        if page.status >= 400:
            return page
    return page


def saml_response(page):
    """The XML of the SAML form on the page; None when there is none."""
    form = page.form_with(lambda form: "SAMLResponse" in form.fields)
    return base64.b64decode(form.fields["SAMLResponse"]) if form else None
