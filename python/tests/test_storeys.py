"""Imports of the package go downwards only: docs/architecture.md, "Storeys"."""

import ast
from pathlib import Path

import pytest

import hxpy

TOP = Path(hxpy.__file__).parent
# From the ground up; what shares a line does not import each other.
ORDER = [
    ["errors"], ["__init__", "haystack", "spiexceptions"], ["plpy"], ["_backend", "_chart"],
    ["plot"], ["_codecs"], ["hayson"],
    ["zinc", "v3", "brio"], ["trio", "csv"],
    ["_tables.__init__", "_tables.wire", "_tables.transforms", "_tables.pace"], ["_tables.scalars"],
    ["_tables.arrays"],
    ["_tables.conversion"], ["_tables.single", "_tables.chunks", "_tables.reader"],
    ["_tables.infer", "_tables.encode", "_tables.joined"], ["_tables.tables", "_tables.vectors"],
    ["_worker.__init__", "_worker.protocol", "_worker.page", "_worker.endpoint",
     "_worker.session", "_worker.imports", "_worker.process", "_worker.siblings",
     "_worker.saving", "_worker.stopwatch", "_worker.hints"],
    ["_worker.tcp", "_worker.channel", "_worker.functions", "_worker.forking", "_worker.explore"],
    ["_worker.output", "_worker.sql", "_worker.batch", "_worker.parts",
     "_worker.team"],
    ["_worker.crew", "_worker.passing"], ["_worker.worker"],
    ["_worker.supervisor", "_worker.parent"], ["_worker.shared"], ["_worker.container"],
    ["__main__"],
]
STOREY = {name: place for place, names in enumerate(ORDER) for name in names}


def modules():
    for path in sorted(TOP.rglob("*.py")):
        name = ".".join(path.relative_to(TOP).with_suffix("").parts)
        yield pytest.param(path, "haystack" if name.startswith("haystack.") else name, id=name)


def imported(path, name):
    """Yield the modules of the package that a file imports, but for its types alone."""
    tree = ast.parse(path.read_text())
    typing = {inner for node in ast.walk(tree) if isinstance(node, ast.If)
              and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
              for inner in ast.walk(node)}
    folder = name.split(".")[:-1] if name != "haystack" else ["haystack"]
    for node in set(ast.walk(tree)) - typing:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder[:len(folder) - node.level + 1] + (node.module or "").split(".")
            target = ".".join(filter(None, base))
            if target.split(".")[0] == "haystack":
                yield "haystack"
            elif target in STOREY:
                yield target
            else:
                yield from (f"{target}.{alias.name}".lstrip(".") for alias in node.names)
        elif isinstance(node, ast.Import) and node.names[0].name == "hxpy":
            yield "__init__"


@pytest.mark.parametrize("path, name", modules())
def test_imports_go_downwards(path, name):
    for target in imported(path, name):
        assert target == name == "haystack" or STOREY[target] < STOREY[name], target
