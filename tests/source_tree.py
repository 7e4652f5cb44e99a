"""Our own source as data, for the tests that read it."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "streamlit_assistant"


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, whether it is a package, and its text."""

    name: str
    text: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        """The text, parsed."""
        return ast.parse(self.text)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of all that is imported, wherever in the file and however."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        parents = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parents, node.module] if node.module else parents)


def product_modules() -> list[Module]:
    """`main.py` and every module of the package."""
    files = [ROOT / "main.py", *sorted((ROOT / PACKAGE).rglob("*.py"))]
    return [_read(path) for path in files]


def modules_of_tests() -> list[Module]:
    """Every module of the tests."""
    return [_read(path) for path in sorted((ROOT / "tests").rglob("*.py"))]


def _read(path: Path) -> Module:
    parts = path.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    return Module(name, path.read_text(encoding="utf-8"), is_package)


def known(imported: str, modules: Sequence[Module]) -> str | None:
    """The module of ours that an imported name stands for or lies in."""
    names = {module.name for module in modules}
    while imported:
        if imported in names:
            return imported
        imported = imported.rpartition(".")[0]
    return None
