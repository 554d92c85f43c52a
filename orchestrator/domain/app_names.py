"""What software is called: the names of its distribution and its Python package, made from any text."""

import keyword
import re
import unicodedata

from orchestrator.domain.base import Frozen

_MAX_CHARS = 40
# A package of one of these names would hide the module that others import. Listed here, since the list of the
# interpreter differs between versions, and a name must be the same wherever it is made.
_STANDARD_LIBRARY = """
 abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii
bisect builtins bz2 calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall compression
concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal
difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch
fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http
idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma
mailbox mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt ntpath
nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform
plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri
random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site
smtpd smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string
stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios textwrap
this threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types
typing unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml
xmlrpc zipapp zipfile zipimport zlib zoneinfo
"""
_COMMON_PACKAGES = """
click django fastapi flask httpx httpx2 hypothesis jinja2 mypy next node npm numpy orch pandas pip polars pydantic
pytest python react requests rich ruff setuptools sqlalchemy starlette typer typescript uvicorn vite vitest waitress
wheel yaml
"""
_FOLDERS = """
aux bench benchmarks bin build con conftest data dist docs examples frontend lib main migrations nul prn public
scripts setup src static templates test tests wsgi
"""
_TAKEN = frozenset(f"{_STANDARD_LIBRARY} {_COMMON_PACKAGES} {_FOLDERS}".split())


class AppNames(Frozen):
    """Names of one piece of software; all come from the same words."""

    distribution: str  # lower case with hyphens: valid for PyPI and npm
    module: str  # a Python identifier that hides no other module
    title: str


def app_names(text: str) -> AppNames:
    """The names for software that is called `text`: `To-Do List!` gives `to-do-list` and `to_do_list`.

    Never fails: text without a usable letter gives `app`. The result is at most 45 characters long and the same on
    every machine.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall("[a-z0-9]+", plain) or ["app"]
    while len(words) > 1 and len("-".join(words)) > _MAX_CHARS:
        words.pop()
    words[0] = words[0][:_MAX_CHARS]
    module = "_".join(words)
    if words[0][0].isdigit():
        words.insert(0, "app")
    elif module in _TAKEN or keyword.iskeyword(module) or keyword.issoftkeyword(module):
        words.append("app")
    return AppNames(
        distribution="-".join(words), module="_".join(words), title=" ".join(word.capitalize() for word in words)
    )


def software_name(project_id: str) -> str:
    """What the software of a project is called: its id without the random ending."""
    return re.sub(r"-[0-9a-f]{6}$", "", project_id)
