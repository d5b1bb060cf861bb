"""Following a page to the letter: its commands are run, its person acts, its outputs are compared.

A page's shell blocks run in order, in one directory, against one `keyturn dev`. A comment `<!-- step: … -->` before a
block is what the person does first. A `text` block after a shell block is what has to be seen: its lines in this
order, others may stand between; `…` stands for anything.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.docs.browser import Browser
from tests.docs.browser import Page as Seen
from tests.docs.pages import Block, Page
from tests.end_to_end.running import CHECKOUT, free_port

STARTS_WITHIN_LINES = 40
PLACEHOLDER = "ID=cxn_…"
# The alias that the banner gives; and as on a terminal, what follows an output begins on a line of its own.
PRELUDE = """
keyturn() { command .venv/bin/keyturn "$@" && code=0 || code=$?; echo; return $code; }
curl() { command $CURL "$@" && code=0 || code=$?; echo; return $code; }
"""
PLAIN_CURL = f"{sys.executable} {Path(__file__).with_name('plain_curl.py')}"


@dataclass
class Walk:
    """One newcomer's afternoon. `variables`: the shell's environment; `outputs`: of each block that was run.

    `curl`: the machine's, or where it has none, ours.
    """

    directory: Path
    banner: str
    variables: dict[str, str] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    curl: str = field(default_factory=lambda: shutil.which("curl") or PLAIN_CURL)

    @property
    def provider(self) -> str:
        """The example provider's address, as the banner says it."""
        found = re.search(r"(http://\S+) is the example provider", self.banner)
        assert found is not None, self.banner
        return found[1]

    def follow(self, page: Page) -> None:
        """Do what the page says."""
        unseen = False
        for block in page.blocks():
            if block.step is not None and block.step != "start":
                STEPS[block.step](self)
            if block.info == "sh":
                self.outputs.append(self.banner if block.step == "start" else self.run(self._filled_in(block.text)))
                unseen = True
            elif block.info == "text" and unseen:
                assert_seen(block, self.outputs[-1])
                unseen = False

    def connect(self, link: str, *, owner_types_wrong_first: bool = False) -> Seen:
        """Open a link and sign in as the demo user; the page that follows."""
        browser = Browser()
        page = browser.submit(browser.open(link))
        if owner_types_wrong_first:
            page = browser.submit(page, username="demo", password="not it")
            assert "did not accept that username and password" in page.text
        return browser.submit(page, username="demo", password="correct-horse-7")

    def code(self) -> str:
        """The one-time code of the moment, as the example provider's page shows it."""
        found = re.search(r"two-steps-pleaseOtto Otp(\d{6}) for|two-steps-please Otto Otp (\d{6}) for", self._people())
        assert found is not None
        return found[1] or found[2]

    def _people(self) -> str:
        return Browser().open(self.provider).text

    def press(self, button: str) -> None:
        """Press the first button of this kind on the example provider's page."""
        browser = Browser()
        page = browser.open(self.provider)
        at = next(n for n, form in enumerate(page.forms) if form.action == f"/page/{button}")
        assert browser.submit(page, at=at).status == 200

    def _filled_in(self, script: str) -> str:
        """The script with the connection's id where the page has dots."""
        if PLACEHOLDER not in script:
            return script
        found = re.search(r"cxn_[0-9a-f]{32}", self.run("keyturn connection list"))
        assert found is not None
        self.variables["ID"] = found[0]
        return script.replace(PLACEHOLDER, f"ID={found[0]}")

    def run(self, script: str) -> str:
        """Run a script as the person's shell does; what the terminal shows."""
        ours = script.replace("http://127.0.0.1:8801", self.provider)
        done = subprocess.run(
            ["sh", "-ec", PRELUDE + ours],
            cwd=self.directory,
            env=os.environ | {"NO_COLOR": "1", "no_proxy": "*", "CURL": self.curl} | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout


def assert_seen(block: Block, output: str) -> None:
    """Every line of the block stands in the output, in this order."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    at = 0
    for wanted in block.text.splitlines():
        if not wanted.strip() or wanted.strip() == "…":
            continue
        pattern = as_pattern(wanted)
        hit = next((n for n in range(at, len(lines)) if pattern.fullmatch(lines[n])), None)
        assert hit is not None, f"{block.name}: not seen: {wanted}\nin:\n{output}"
        at = hit + 1


def as_pattern(line: str) -> re.Pattern[str]:
    """A line with `…` for anything; blanks beside it are anything as well, and the ports are this run's."""
    folded = " ".join(line.split())
    parts = [re.escape(part) for part in re.split(r" ?… ?", folded)]
    return re.compile(re.sub(r"127\\\.0\\\.0\\\.1:880[01]", r"127\\.0\\.0\\.1:\\d+", ".*".join(parts)))


def _connect_demo(walk: Walk) -> None:
    found = re.search(r"http://\S+/c/\S+", walk.banner)
    assert found is not None
    done = walk.connect(found[0], owner_types_wrong_first=True)
    assert "Your Acme (example provider) account is connected" in done.text
    assert "Your password is not stored." in done.text


def _reconnect(walk: Walk) -> None:
    link = walk.run("keyturn connection reconnect $ID 2>/dev/null").strip()
    assert "account is connected" in walk.connect(link).text


def _come_back(walk: Walk) -> None:
    made = re.search(r'"url":"([^"]+)"', walk.outputs[-1])
    assert made is not None, walk.outputs[-1]
    done = walk.connect(made[1])
    back = next(link for link in done.links if "code=" in link)
    query = parse_qs(urlsplit(back).query)
    walk.variables |= {"SESSION": query["session"][0], "CODE": query["code"][0]}


def _connect_otp(walk: Walk) -> None:
    link = re.search(r"http://\S+/c/\S+", walk.outputs[-1])
    assert link is not None, walk.outputs[-1]
    browser = Browser()
    page = browser.submit(browser.open(link[0]))
    page = browser.submit(page, username="otp", password="two-steps-please")
    for code in ("000000", walk.code()):
        name = next(each for each in page.forms[0].values if each.endswith("otp"))
        asked, page = page, browser.submit(page, typed={name: code})
        assert ("account is connected" in page.text) == (code != "000000")
    assert "did not accept the code" in asked.text


def _read_the_code(walk: Walk) -> None:
    made = re.search(r"chl_\w+", walk.outputs[-1])
    assert made is not None, walk.outputs[-1]
    walk.variables |= {"CHALLENGE": made[0], "CODE": walk.code()}


STEPS: dict[str, Callable[[Walk], None]] = {
    "connect demo": _connect_demo,
    "revoke access token": lambda walk: walk.press("end-access"),
    "revoke family": lambda walk: walk.press("end-family"),
    "reconnect": _reconnect,
    "connect and come back": _come_back,
    "connect otp": _connect_otp,
    "read the code": _read_the_code,
}


@contextlib.contextmanager
def keyturn_dev(directory: Path) -> Iterator[Walk]:
    """`keyturn dev` on free ports, in a directory of its own that looks like a checkout."""
    bin_directory = directory / ".venv" / "bin"
    bin_directory.mkdir(parents=True)
    (bin_directory / "keyturn").symlink_to(keyturn_program())
    python_path = os.pathsep.join([str(CHECKOUT / "src"), str(CHECKOUT / "examples" / "provider")])
    ports = ["--listen", f"127.0.0.1:{free_port()}", "--provider-port", str(free_port())]
    process = subprocess.Popen(
        [str(bin_directory / "keyturn"), "dev", *ports],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": python_path, "PATH": path_without_keyturn()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Data:") or len(lines) > STARTS_WITHIN_LINES:
                break
        banner = "".join(lines)
        yield Walk(directory, banner, dict(re.findall(r"^ *export (KEYTURN_\w+)=(\S+)$", banner, re.MULTILINE)))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        finally:
            process.kill()
            process.stdout.close()


def path_without_keyturn() -> str:
    """The search path of somebody who has not installed it, whoever runs the tests."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(each for each in folders if not (Path(each) / "keyturn").exists())


def keyturn_program() -> str:
    """The installed program beside this Python."""
    found = shutil.which("keyturn", path=str(Path(sys.executable).parent))
    assert found is not None, "make setup installs it"
    return found
