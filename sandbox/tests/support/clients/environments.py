"""One environment per library, with what its lock pins; kept until the lock or the interpreter changes."""

import asyncio
import hashlib
import os
import shutil
import sys
import venv
from pathlib import Path

from support.clients.libraries import FOLDER, Library
from support.paths import PROJECT

ENVIRONMENTS = FOLDER / ".environments"
_INSTALLED = shutil.ignore_patterns("node_modules")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


class BuildError(Exception):
    """pip or npm failed; the text is what it said."""


def location(library: Library) -> Path:
    interpreter = sys.version if library.is_python else "node"
    digest = hashlib.sha256(library.lock.read_bytes() + interpreter.encode()).hexdigest()[:12]
    return ENVIRONMENTS / f"{library.folder}-{digest}"


async def command(library: Library) -> tuple[str, ...]:
    """The command that starts the library's bot, in an environment that is built first if it is missing.

    Raises BuildError.
    """
    place = location(library)
    if not (place / "complete").exists():
        for old in ENVIRONMENTS.glob(f"{library.folder}-*"):
            shutil.rmtree(old)
        place.mkdir(parents=True)
        await (_python(library, place) if library.is_python else _node(library, place))
        (place / "complete").touch()
    if library.is_python:
        return str(place / "bin" / "python"), str(library.bot)
    # Node looks for modules beside a script, not in a folder that an option names.
    for script in library.path.glob("*.js"):
        shutil.copy(script, place)
    return "node", str(place / library.bot.name)


async def _python(library: Library, place: Path) -> None:
    venv.create(place, with_pip=False)
    pip = (sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install", "-q")
    options = (
        "--disable-pip-version-check",
        "--retries",
        "10",
        "--no-deps",
        "--require-hashes",
        "-r",
        str(library.lock),
    )
    await _run(*pip, *options)


async def _node(library: Library, place: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(library.path / name, place)
    await _modules(place)


async def _modules(place: Path) -> None:
    """Install what a folder's package-lock.json pins."""
    if shutil.which("npm") is None:
        raise BuildError("npm is not installed")
    await _run(
        "npm",
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--fetch-retries",
        "5",
        "--prefix",
        str(place),
    )


async def vitest_example() -> Path:
    """A copy of `examples/vitest` with its modules, beside a copy of the helper as its package.json names it.

    Raises BuildError.
    """
    example = PROJECT / "examples" / "vitest"
    digest = hashlib.sha256((example / "package-lock.json").read_bytes()).hexdigest()[:12]
    place = ENVIRONMENTS / f"vitest-{digest}"
    copy = place / "examples" / "vitest"
    if not (place / "complete").exists():
        for old in ENVIRONMENTS.glob("vitest-*"):
            shutil.rmtree(old)
        shutil.copytree(example, copy, ignore=_INSTALLED)
        shutil.copytree(PROJECT / "js", place / "js", ignore=_INSTALLED)
        await _modules(copy)
        (place / "complete").touch()
    for folder in (Path("examples", "vitest"), Path("js")):
        shutil.copytree(PROJECT / folder, place / folder, ignore=_INSTALLED, dirs_exist_ok=True)
    return copy


async def _run(*words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if AUTHORITIES.exists():
        # Node brings a list of its own, without the authority of a mirror that the machine trusts.
        environment.setdefault("NODE_EXTRA_CA_CERTS", str(AUTHORITIES))
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise BuildError(f"{' '.join(words[:4])} …: {said.decode()[-2000:]}")
