import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from membership import __version__, sentences
from membership.errors import Reason
from membership.models import LeavingState, RosterState
from membership.remotes import provider_class
from membership.vocab import PROVIDERS, ChangeState, OperationState, ReadingState

pytestmark = pytest.mark.pure
ROOT = Path(__file__).resolve().parent.parent
MODULES = [p for p in (ROOT / "membership").rglob("*.py") if "migrations" not in p.parts] + list(
    (ROOT / "project").glob("*.py")
)
# What Django may call only once its registry is ready.
LATE_IMPORTS = {"membership/apps.py"}


def name_of(path):
    return str(path.relative_to(ROOT))


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def imports(path):
    """(module name, whether it stands inside a function) of every import."""
    return list(_imports(path))


def _imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), id(node) in inside


def test_the_floors_hold():
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_one_module_alone_opens_sockets_to_remotes():
    def who_import(package):
        return {name_of(path) for path in MODULES for name, _ in imports(path) if f"{name}.".startswith(f"{package}.")}

    assert who_import("membership.providers.lines") == {"membership/providers/door.py"}
    assert who_import("requests") == {"membership/providers/door.py"}
    assert who_import("urllib3") == set()


def test_imports_stand_on_top_and_are_absolute():
    wrong = [
        (name_of(path), name)
        for path in MODULES
        for name, inside in imports(path)
        if name.startswith(".") or (inside and name_of(path) not in LATE_IMPORTS)
    ]
    assert wrong == []


def test_no_module_is_longer_than_400_lines():
    long = {name_of(path): count for path in MODULES if (count := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_every_reason_has_a_sentence():
    assert set(sentences.REASONS) == set(Reason)


def test_every_sentence_can_be_said_without_its_parameters():
    for reason in Reason:
        assert "%(" not in sentences.sentence(reason, {})


@pytest.mark.parametrize("kind", PROVIDERS)
def test_every_provider_has_its_parts(kind):
    for name in (
        f"membership/providers/{kind}/__init__.py",
        f"membership/sandbox/{kind}.py",
        f"docs/providers/{kind}.md",
    ):
        assert (ROOT / name).is_file(), name
    provider = provider_class(kind)
    assert provider.kind == kind
    assert provider.secrets


@pytest.mark.parametrize("kind", PROVIDERS)
def test_the_recipe_for_a_provider_names_files_that_exist(kind):
    recipe = text_of("CONTRIBUTING.md").split("## Adding a provider")[1].split("\n## ")[0]
    named = re.findall(r"`((?:membership|tests|docs)/[^` ]+)`", recipe)
    assert len(named) > 12
    assert [name for name in named if not (ROOT / name.replace("NAME", kind)).exists()] == []


def test_nothing_above_the_remotes_names_a_provider():
    above = [p for p in MODULES if p.relative_to(ROOT).parts[1] in ("operations", "plans", "mirror", "audit")]
    named = [name_of(p) for p in above if re.search(r"[\"'](inwendo|mudbase|kaiten)[\"']", p.read_text())]
    assert named == []


# papers


def arrows_of(enum):
    """{(from, to)} as its docstring has them."""
    found = set()
    for line in enum.__doc__.splitlines():
        if " -> " in line:
            left, right = line.split(" -> ", 1)
            targets = re.match(r"[A-Z_]+(, [A-Z_]+)*", right).group()
            found |= {(a.strip(), b.strip()) for a in left.split(",") for b in targets.split(",")}
    return found


def table_below(heading, name="docs/operations.md"):
    part = text_of(name).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]


@pytest.mark.parametrize(
    ("enum", "heading"),
    [
        (ChangeState, "A change"),
        (OperationState, "A step"),
        (ReadingState, "A reading"),
        (RosterState, "A list from a file"),
        (LeavingState, "A leaver"),
    ],
)
def test_the_papers_have_the_arrows_of_the_code(enum, heading):
    arrows = {(row[0], row[1]) for row in table_below(heading)[2:]}
    assert arrows == arrows_of(enum)
    assert {state for arrow in arrows for state in arrow} == set(enum.__members__)


def test_every_setting_is_in_the_example():
    code = text_of("project/settings.py")
    names = set(re.findall(r"(?:env\.\w+|secret)\(\"([A-Z_]+)\"", code))
    example = text_of(".env.example")
    assert len(names) > 15
    assert [name for name in sorted(names) if not re.search(rf"^#?{name}=", example, re.M)] == []


def test_what_the_example_sets_is_a_setting():
    code = text_of("project/settings.py")
    named = re.findall(r"^#?([A-Z_]+)=", text_of(".env.example"), re.M)
    assert [name for name in named if f'"{name}"' not in code] == []


def test_the_papers_have_the_floors_that_are_checked():
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    checked = [set(layer.split(" | ")) for layer in contracts[0]["layers"]]
    drawn = re.findall(r"^ *[0-9]+  ([a-z_]+(?: \| [a-z_]+)*)", text_of("docs/architecture.md"), re.M)
    assert [set(layer.split(" | ")) for layer in drawn] == checked


PAPERS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("paper", PAPERS, ids=name_of)
def test_the_links_of_a_paper_lead_somewhere(paper):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", paper.read_text(encoding="utf-8"))
    assert [link for link in links if not (paper.parent / link).exists()] == []


def test_the_commands_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.M))
    said = set(re.findall(r"\bmake ([a-z-]+)", text_of("README.md") + text_of("CONTRIBUTING.md")))
    assert said >= {"run", "test", "check", "password"}
    assert said <= targets
    commands = {p.stem for p in (ROOT / "membership/management/commands").glob("*.py")}
    asked = set()
    for paper in PAPERS:
        asked |= set(re.findall(r"manage\.py ([a-z_]+)", paper.read_text(encoding="utf-8")))
    assert asked - commands <= {"migrate"}


def test_the_version_is_said_once_and_alike():
    assert f'version = "{__version__}"' in text_of("pyproject.toml")
    assert f"## {__version__}" in text_of("CHANGELOG.md")
