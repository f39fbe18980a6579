"""Chromium, headless, driven over its debugging pipe: no port, no driver program."""
import json
import os
import select
import subprocess
import time


class Chromium:
    """A context manager. `home` holds the profile and the certificate store (.pki/nssdb)."""

    def __init__(self, home, arguments=(), environment=None):
        self.home = home
        self.arguments = arguments
        self.environment = environment or {}
        self.number = 0
        self.unread = b""

    def __enter__(self):
        from_us, self.to_browser = os.pipe()
        self.from_browser, to_us = os.pipe()
        # The browser reads commands from descriptor 3 and writes answers to 4.
        command = ["bash", "-c", f'exec chromium "$@" 3<&{from_us} 4>&{to_us}', "chromium",
                   "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={self.home}/profile",
                   "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage", *self.arguments]
        if os.geteuid() == 0:
            command.append("--no-sandbox")
        self.process = subprocess.Popen(command, pass_fds=(from_us, to_us), stderr=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL,
                                        env={**os.environ, **self.environment,
                                             "HOME": str(self.home), "TMPDIR": str(self.home)})
        os.close(from_us)
        os.close(to_us)
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to_browser)
        os.close(self.from_browser)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 30
        while True:
            answer = self._read(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]

    def _read(self, deadline):
        while b"\0" not in self.unread:
            ready, _, _ = select.select([self.from_browser], [], [], deadline - time.monotonic())
            part = os.read(self.from_browser, 1 << 16) if ready else b""
            if not part:
                raise AssertionError("Chromium does not answer")
            self.unread += part
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        return result.get("value")

    def open(self, url):
        self.call("Page.navigate", url=url)

    def wait_for(self, expression, seconds=20):
        """Until the expression is true on whatever page there is by then."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(f"document.readyState === 'complete' && !!({expression})"):
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {seconds} s: {expression}\n"
                                     f"{self.evaluate('location.href + document.body.innerText')}")
            time.sleep(0.1)
