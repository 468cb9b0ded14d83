"""``python -m tests.locks``: are the lock files whole? Every name of requirements/*.in is pinned, every pin hashed, no address
of an index inside. Cheap and offline; not for: whether newer versions exist (``make lock``).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "requirements"
LOCKS = {"base.txt": ["base.in"], "dev.txt": ["base.in", "dev.in"]}
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
WANTED = re.compile(r"^([A-Za-z0-9._-]+)\s*(==)?\s*([^\s#]*)?", re.MULTILINE)
ADDRESS = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|--trusted-host")


def name(text: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", text).lower()


def problems() -> list[str]:
    """One line for everything that is wrong."""
    found = []
    pins: dict[str, dict[str, str]] = {}
    for lock, sources in LOCKS.items():
        text = (FOLDER / lock).read_text(encoding="utf-8")
        pins[lock] = {name(package): version for package, version in PIN.findall(text)}
        if ADDRESS.search(text):
            found.append(f"{lock}: holds an address")
        blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
        found += [
            f"{lock}: {block.split()[0]} has no hash" for block in blocks if PIN.match(block) and "--hash=" not in block
        ]
        for source in sources:
            for package, exact, version in WANTED.findall((FOLDER / source).read_text(encoding="utf-8")):
                pinned = pins[lock].get(name(package))
                if pinned is None or (exact and pinned != version):
                    found.append(f"{lock}: {package} of {source} is not in it as wanted (`make lock`)")
    different = [package for package, version in pins["base.txt"].items() if pins["dev.txt"].get(package) != version]
    return found + [f"dev.txt: {package} is not the version of base.txt (`make lock`)" for package in different]


if __name__ == "__main__":
    wrong = problems()
    sys.stdout.write("\n".join(wrong or ["lock files: whole"]) + "\n")
    sys.exit(bool(wrong))
