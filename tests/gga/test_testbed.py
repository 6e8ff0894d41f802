"""What the plugin needs of a testbed."""

import ast
from pathlib import Path

import domainbed_gga


def test_one_file_imports_from_the_testbed():
    importing = set()
    for path in Path(domainbed_gga.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "domainbed" for name in names):
                importing.add(path.name)
    assert importing == {"testbed.py"}
