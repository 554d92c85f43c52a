"""Starts an application and sees whether it answers; the last line of the report says what is wrong.

Arguments: a JSON object (kind, start, build, folder, entry, environment, pages, pages_exist, timeout_s), and the
file to write. Runs inside the sandbox, where the network is its own loopback.
"""

import contextlib
import html.parser
import json
import os
import posixpath
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

PORT = 8000
LOOK_EVERY_S = 0.1
ANSWER_TIMEOUT_S = 20.0
SAID_BYTES = 6000
SITE_BYTES = 1024 * 1024
MAX_PROBLEMS = 50
LISTEN = "0A"


class Report:
    """What is going on and what went wrong, one JSON object per line, the last one whole."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "w", encoding="utf-8")  # noqa: SIM115  open until the end
        self.problems: list[dict[str, Any]] = []

    def tell(self, doing: str, done: bool = False) -> None:
        """Write where we are."""
        self.file.write(json.dumps({"doing": doing, "done": done, "problems": self.problems}) + "\n")
        self.file.flush()

    def problem(self, rule: str, message: str, said: str = "", path: str = "", line: int = 0) -> None:
        """Note a defect."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append({"rule": rule, "message": message, "said": said, "path": path, "line": line})


def environment(task: dict[str, Any], port: int) -> dict[str, str]:
    """Ours, with what an application of its kind expects."""
    roots = [path for path in ("src", ".") if os.path.isdir(path)]
    given = {"PORT": str(port), "HOST": "127.0.0.1", "NEXT_TELEMETRY_DISABLED": "1", "CI": "1"}
    paths = os.pathsep.join(os.path.abspath(path) for path in roots)
    return {**os.environ, **given, **task["environment"], "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}


def filled(words: list[str], port: int) -> list[str]:
    """The command with its interpreter and its port."""
    places = {"{python}": sys.executable, "{port}": str(port)}
    return [places.get(word, word.replace("$PORT", str(port))) for word in words]


def tail(path: str) -> str:
    """The end of what a program said."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - SAID_BYTES))
        return file.read().decode(errors="replace")


def shown(words: list[str]) -> str:
    """A command as a person would write it."""
    return " ".join("python" if word == sys.executable else word for word in words)[:200]


def free_port() -> int:
    """A port that nobody listens on: the usual one, where it is free."""
    for wanted in (PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", wanted)) as server:
                return int(server.getsockname()[1])
        except OSError:
            continue
    return PORT


def session_of(pid: str) -> int:
    """The session of a process, 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[3])
    except (OSError, IndexError, ValueError):
        return 0


def listening(session: int) -> set[int]:
    """Ports that processes of a session listen on."""
    inodes = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if session_of(pid) != session:
            continue
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
                if link.startswith("socket:["):
                    inodes.add(link[8:-1])
        except OSError:
            continue
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue
        ports |= {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTEN and row[9] in inodes}
    return ports


def answer(port: int, page: str) -> tuple[int, str]:
    """Status and begin of the body; status 0 and the reason where no answer came."""
    url = f"http://127.0.0.1:{port}{page}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=ANSWER_TIMEOUT_S) as response:
            return response.status, response.read(2000).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(2000).decode(errors="replace")
    except (OSError, ValueError) as error:
        return 0, str(error)
    except Exception as error:  # noqa: BLE001  an answer that is no HTTP, of whatever kind
        return 0, f"{type(error).__name__}: {error}"


def build(task: dict[str, Any], report: Report, log: str) -> bool:
    """Build what has to be built first."""
    if not task["build"]:
        return True
    words = filled(task["build"], PORT)
    report.tell(f"building: {shown(words)}")
    with open(log, "wb") as output:
        code = subprocess.call(words, env=environment(task, PORT), stdout=output, stderr=subprocess.STDOUT)
    if code:
        report.problem("build-failed", f"`{shown(words)}` ended with exit code {code}", tail(log))
    return not code


def check_http(task: dict[str, Any], report: Report, log: str) -> None:
    """Start the server and ask it for its pages."""
    if not build(task, report, log):
        return
    port = free_port()
    words = filled(task["start"], port)
    report.tell(f"starting: {shown(words)}")
    with open(log, "wb") as output:
        try:
            process = subprocess.Popen(
                words, env=environment(task, port), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        except OSError as error:
            report.problem("did-not-start", f"`{shown(words)}` cannot be run: {error.strerror}")
            return
    try:
        deadline = time.monotonic() + task["timeout_s"]
        ports: set[int] = set()
        while not ports and process.poll() is None and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
            ports = listening(process.pid)
        if not ports and process.poll() is not None:
            message = f"`{shown(words)}` ended with exit code {process.returncode} before it answered"
            report.problem("did-not-start", message, tail(log))
        elif not ports:
            message = f"`{shown(words)}` listened on no port within {task['timeout_s']:.0f} s"
            report.problem("no-answer", message, tail(log))
        else:
            ask_pages(task, report, log, port if port in ports else min(ports))
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask_pages(task: dict[str, Any], report: Report, log: str, port: int) -> None:
    """Each page answers without a failure of the server."""
    for page in task["pages"]:
        report.tell(f"asking for {page}")
        status, body = answer(port, page)
        if status == 0:
            report.problem("no-answer", f"GET {page} got no answer: {body}", tail(log))
        elif status >= 500 or (task["pages_exist"] and status >= 400):
            report.problem("server-error", f"GET {page} was answered with status {status}", tail(log) or body)


def check_command(task: dict[str, Any], report: Report, log: str) -> None:
    """The program tells its use and ends well."""
    words = filled(task["start"], PORT)
    report.tell(f"running: {shown(words)}")
    with open(log, "wb") as output:
        try:
            code = subprocess.call(
                words,
                env=environment(task, PORT),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=task["timeout_s"],
            )
        except subprocess.TimeoutExpired:
            report.problem("no-answer", f"`{shown(words)}` did not end within {task['timeout_s']:.0f} s", tail(log))
            return
        except OSError as error:
            report.problem("did-not-start", f"`{shown(words)}` cannot be run: {error.strerror}")
            return
    if code:
        report.problem("help-failed", f"`{shown(words)}` ended with exit code {code}", tail(log))
    elif not tail(log).strip():
        report.problem("help-failed", f"`{shown(words)}` says nothing")


class Links(html.parser.HTMLParser):
    """Collects what a page refers to, and the names that it can be referred to by."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, int]] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Links, pictures, scripts and styles."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.names.add(value)
            elif name in ("href", "src", "poster", "action") and value is not None:
                self.links.append((value.strip(), self.getpos()[0]))


def check_site(task: dict[str, Any], report: Report) -> None:
    """The index is there, and what the pages link to."""
    root = task["folder"] or "."
    if not os.path.isfile(task["entry"]):
        report.problem("no-index", "there is no index.html")
        return
    pages: dict[str, Links] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith((".html", ".htm")):
                path = os.path.normpath(os.path.join(folder, name))
                with open(path, encoding="utf-8", errors="replace") as file:
                    page = Links()
                    report.tell(f"reading {path}")
                    page.feed(file.read(SITE_BYTES))
                    pages[path] = page
    for path, page in pages.items():
        for link, line in page.links:
            broken = problem_of(link, path, root, pages)
            if broken:
                report.problem("broken-link", broken, path=path, line=line)


def problem_of(link: str, path: str, root: str, pages: dict[str, Links]) -> str:
    """Why a link of the page at `path` leads nowhere; empty where it does, or leads outside."""
    try:
        parts = urllib.parse.urlsplit(link)
    except ValueError:
        return f"{link[:100]!r} is not an address"
    if parts.scheme or parts.netloc or "{" in link:
        return ""
    target = os.path.normpath(path)
    if parts.path:
        base = root if parts.path.startswith("/") else posixpath.dirname(path)
        target = os.path.normpath(os.path.join(base, urllib.parse.unquote(parts.path).lstrip("/")))
        choices = [target, os.path.join(target, "index.html"), target + ".html"]
        found = next((choice for choice in choices if os.path.isfile(choice)), "")
        if not found:
            return f"{link[:100]!r} leads to no file"
        target = found
    fragment = urllib.parse.unquote(parts.fragment)
    if fragment and fragment != "top" and target in pages and fragment not in pages[target].names:
        return f"{link[:100]!r} leads to a name that is not on the page"
    return ""


def main() -> None:
    """Do the task."""
    task, path = json.loads(sys.argv[1]), sys.argv[2]
    log = path + ".log"
    report = Report(path)
    if task["kind"] == "site":
        check_site(task, report)
    else:
        os.chdir(task["folder"] or ".")
        {"http": check_http, "command": check_command}[task["kind"]](task, report, log)
    report.tell("", done=True)


main()
