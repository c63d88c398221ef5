"""The wheel, installed as a user has it: nothing but what it declares, in an empty environment and folder."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from digest.render.templates import folders

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
"""The interpreter outside of .venv: it has pip, as the Makefile needs it too."""


def run(
    *command: str | Path, cwd: Path | None = None, code: int = 0, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Runs it without one environment variable, and expects that exit code."""
    done = subprocess.run(
        command, cwd=cwd, env={}, capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == code, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class Installed:
    """A wheel in a virtual environment of its own, beside what it declares as its dependencies."""

    python: Path
    packages: Path
    folder: Path

    def digest(self, *arguments: str | Path, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        return run(self.python.with_name("digest"), *arguments, cwd=cwd, code=code)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the work tree, which stands still while somebody edits the other one."""
    left_out = (
        ".git",
        ".cache",
        ".venv",
        "__pycache__",
        ".*_cache",
        ".hypothesis",
        ".coverage*",
        "demo",
        "dist",
        "build",
    )
    copy = tmp_path_factory.mktemp("tree") / "newsletter-digest"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*left_out))
    return copy


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of the work tree, and with the wheel that was built from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, tree, cwd=out)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    home = tmp_path_factory.mktemp("installed")
    run(BASE_PYTHON, "-m", "venv", "--without-pip", home / "venv")
    python = home / "venv" / "bin" / "python"
    if subprocess.run([BASE_PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{BASE_PYTHON} has no pip")
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile")
    run(BASE_PYTHON, "-m", "pip", "--python", python, "install", *options, wheel)
    (packages,) = (home / "venv" / "lib").glob("python*/site-packages")
    dependencies = home / "dependencies"
    link_declared(wheel, dependencies)
    # A plain line: what the development environment itself adds to its path stays away.
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    return Installed(python, packages, home)


def link_declared(wheel: Path, folder: Path) -> None:
    """Links the distributions that the wheel requires, and those that they require, into the folder.

    They are the installed ones of this environment, so that no network is needed.
    """
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = importlib.metadata.PathDistribution(zipfile.Path(wheel, name.rpartition("/")[0] + "/"))
    waiting = [Requirement(line) for line in metadata.requires or ()]
    done: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *sorted(requirement.extras)):
            if (requirement.name, extra) in done:
                continue
            done.add((requirement.name, extra))
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            found = importlib.metadata.distribution(requirement.name)
            for top in {file.parts[0] for file in found.files or () if file.parts[0] != ".."}:
                target = folder / top
                if not target.is_symlink() and top != "__pycache__":
                    target.symlink_to(str(found.locate_file(top)))
            for line in found.requires or ():
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    needed.marker = None
                    waiting.append(needed)


def product_files(tree: Path) -> dict[str, bytes]:
    """Every file of the product, by the name that it has in the wheel."""
    return {
        re.sub(r"\Atemplates/", "digest/_templates/", path.relative_to(tree).as_posix()): path.read_bytes()
        for folder in ("digest", "subscribers", "templates")
        for path in sorted((tree / folder).rglob("*"))
        if path.is_file()
    }


def test_the_wheel_holds_the_product_and_nothing_else(tree: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    assert held == product_files(tree)
    assert "digest/store/migrations/versions/0001_baseline.py" in held
    assert len([name for name in held if name.startswith("digest/sample/pictures/")]) >= 10


def test_the_sdist_holds_what_building_and_testing_need(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    for name in (
        *("pyproject.toml", "README.md", "LICENSE", "Makefile", "requirements.lock", "requirements-dev.lock"),
        *("templates/email/front-page.mjml", "tests/conftest.py", "docs/design.md", "config.toml"),
    ):
        assert name in names


def test_every_module_imports_with_what_the_wheel_declares(installed: Installed, tmp_path: Path) -> None:
    code = """
import importlib, pkgutil, digest, subscribers
for package in (digest, subscribers):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)
print(digest.__file__)
"""
    printed = run(installed.python, "-W", "error", "-c", code, cwd=tmp_path).stdout
    assert Path(printed.strip()).is_relative_to(installed.packages)


def test_templates_of_the_wheel_lie_in_the_package(installed: Installed, tmp_path: Path) -> None:
    code = "from digest.render.templates import folders; print(*folders())"
    printed = run(installed.python, "-c", code, cwd=tmp_path).stdout.strip()
    assert Path(printed) == installed.packages / "digest" / "_templates"


def test_templates_of_an_editable_install_are_those_of_the_repository(tmp_path: Path) -> None:
    assert folders() == (ROOT / "templates",)
    code = "from digest.render.templates import folders; print(*folders())"
    assert run(sys.executable, "-c", code, cwd=tmp_path).stdout.strip() == str(ROOT / "templates")


def test_digest_works_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    assert "0.1.0" in installed.digest("--version", cwd=tmp_path).stdout
    assert "Sending:" in installed.digest("--help", cwd=tmp_path).stdout
    installed.digest("init", "news", cwd=tmp_path)
    news = tmp_path / "news"
    stories, readings = newspaper(tmp_path)
    installed.digest("db", "check", cwd=news)
    installed.digest("stories", "import", stories, cwd=news)
    installed.digest("signals", "import", readings, "--metric", "readers", "--kind", "count", cwd=news)
    ranked = installed.digest("rank", "weekly", "--at", "2026-11-16", "--window", "7d", "--json", cwd=news)
    picks = json.loads(ranked.stdout)["picks"]
    assert [pick["external_id"] for pick in picks[:3]] == ["story-12", "story-11", "story-10"]
    installed.digest("edition", "build", "weekly", "--at", "2026-11-16T06:00", cwd=news)
    installed.digest("preview", "weekly", "--out", tmp_path / "look", cwd=news)
    html = (tmp_path / "look" / "digest.html").read_text(encoding="utf-8")
    assert "What happened on day 12" in html
    assert "What happened on day 12" in (tmp_path / "look" / "digest.txt").read_text(encoding="utf-8")
    assert (tmp_path / "look" / "index.html").is_file()


def newspaper(folder: Path) -> tuple[Path, Path]:
    """Twelve stories of the week that ends on 2026-11-16, the later ones more read: two CSV files."""
    stories, readings = folder / "stories.csv", folder / "readers.csv"
    days = [(n, f"2026-11-{9 + n // 2:02}T{8 + n % 2:02}:00:00Z") for n in range(1, 13)]
    stories.write_text(
        "id,url,title,section,published\n"
        + "".join(
            f"story-{n},https://news.example/{n},What happened on day {n},Section {n % 5},{at}\n"
            for n, at in days
        )
    )
    readings.write_text("story,at,value\n" + "".join(f"story-{n},{at},{n * 100}\n" for n, at in days))
    return stories, readings


def test_demo_works_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    installed.digest("demo", cwd=tmp_path)
    copies = list((tmp_path / "demo" / "inbox" / "new").iterdir())
    assert len(copies) == 200
    html = (tmp_path / "demo" / "preview" / "digest.html").read_text(encoding="utf-8")
    assert "/media/" in html, "no picture of the sample"
