"""A headless Chromium, steered over its debugging pipe (no driver, no package)."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from typing import Any, Optional


def find() -> Optional[str]:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    def __init__(self, program: str, *arguments: str) -> None:
        self.profile = tempfile.mkdtemp(prefix="ticks-browser-")
        to_browser, self.commands = os.pipe()
        self.answers, from_browser = os.pipe()
        high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, from_browser)]

        def place() -> None:
            """The browser reads commands at descriptor 3 and answers at 4."""
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--remote-debugging-pipe", f"--user-data-dir={self.profile}", *arguments, "about:blank"],
            preexec_fn=place, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for end in high:
            os.close(end)
        os.close(to_browser)
        os.close(from_browser)
        self.stream = os.fdopen(self.answers, "rb")
        self.pending = b""
        self.number = 0
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    session: Optional[str] = None

    def call(self, method: str, **parameters: Any) -> Any:
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.commands, json.dumps(command).encode() + b"\0")
        while True:
            while b"\0" not in self.pending:
                some = self.stream.read1(65536)
                if not some:
                    raise EOFError("the browser has ended")
                self.pending += some
            text, _, self.pending = self.pending.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                return answer["result"]

    def open(self, address: str) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=1000, height=560, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=address)

    def until(self, condition: str, seconds: int = 20) -> None:
        """Wait in the page until a condition holds."""
        ended = self.evaluate(
            f"""new Promise(done => {{
                const end = Date.now() + {seconds * 1000};
                const look = () => {{
                    let held = false;
                    try {{ held = {condition}; }} catch (_) {{}}
                    if (held) done("held");
                    else if (Date.now() > end) done(document.body.innerText);
                    else setTimeout(look, 20);
                }};
                look();
            }})"""
        )
        assert ended == "held", f"{condition} did not come true on the page: {ended}"

    def evaluate(self, expression: str) -> Any:
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def screenshot(self, path: str) -> None:
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        with open(path, "wb") as file:
            file.write(data)

    def close(self) -> None:
        os.close(self.commands)
        self.process.terminate()
        self.process.wait(20)
        self.stream.close()
        shutil.rmtree(self.profile, ignore_errors=True)
