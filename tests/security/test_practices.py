"""Practices that the table of the standards claims of the source as a whole."""

from __future__ import annotations

import ast
from pathlib import Path

from keyturn.bootstrap.system import SystemEntropy
from tests.house.sources import SRC, modules, shown, tree

RUNS_PROGRAMS = {"subprocess", "create_subprocess_exec", "create_subprocess_shell", "system", "popen", "fork", "execv"}
EVALUATES = {"eval", "exec", "compile", "__import__"}
DESERIALISES = {"pickle", "marshal", "shelve", "dill"}
STORAGE = ("localStorage", "sessionStorage", "indexedDB", "document.cookie")
# docs/security/index.md, "Cryptography in use", has a row for each.
USE_CRYPTOGRAPHY = {
    "src/keyturn/adapters/client_assertions.py",
    "src/keyturn/adapters/sealing/sealed_value.py",
    "src/keyturn/adapters/store/chained/audit_keys.py",
}
TOKEN_CHARACTERS = 43  # 256 bits in base64url


def called(path: Path) -> set[str]:
    """The names of what a module calls: `eval` of `eval()`, `system` of `os.system()`."""
    functions = [each.func for each in ast.walk(tree(path)) if isinstance(each, ast.Call)]
    return {each.id for each in functions if isinstance(each, ast.Name)} | {
        each.attr for each in functions if isinstance(each, ast.Attribute)
    }


def bare_calls(path: Path) -> set[str]:
    """The names of what a module calls without a dot."""
    return {
        each.func.id for each in ast.walk(tree(path)) if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)
    }


def imported(path: Path) -> set[str]:
    """First parts of what a module imports."""
    names: set[str] = set()
    for each in ast.walk(tree(path)):
        if isinstance(each, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in each.names}
        elif isinstance(each, ast.ImportFrom):
            names.add((each.module or "").partition(".")[0])
    return names


def test_the_product_runs_no_other_program() -> None:
    """Only `keyturn dev` does: the example provider beside it, without a shell."""
    found = {shown(path) for path in modules(SRC) if RUNS_PROGRAMS & (called(path) | imported(path))}

    assert {"src/keyturn/bootstrap/dev.py"} == found
    assert "create_subprocess_shell" not in called(SRC / "bootstrap" / "dev.py")


def test_the_product_evaluates_no_code() -> None:
    """No text becomes code, and no bytes become objects of any type."""
    found = [shown(path) for path in modules(SRC) if (EVALUATES & bare_calls(path)) or (DESERIALISES & imported(path))]

    assert [] == found


def test_cryptography_stands_where_the_inventory_says() -> None:
    """Ciphers and signatures are used in listed modules only, with no mode of AES but GCM and no weak hash there."""
    found = {shown(path) for path in modules(SRC) if "cryptography" in imported(path)}
    texts = "".join(path.read_text(encoding="utf-8") for path in modules(SRC) if shown(path) in found)

    assert USE_CRYPTOGRAPHY == found
    assert [] == [word for word in ("modes.", "ECB", "CBC", "MD5", "SHA1", "TripleDES", "ARC4") if word in texts]


def test_what_is_drawn_comes_from_the_systems_generator() -> None:
    """Tokens have 256 bits; only the module of the system draws, and `random` serves it for waits alone."""
    drawn = {SystemEntropy().token(32) for _ in range(100)}
    using = {shown(path) for path in modules(SRC) if {"random", "secrets"} & imported(path)}

    assert 100 == len(drawn)
    assert {TOKEN_CHARACTERS} == {len(each) for each in drawn}
    assert {"src/keyturn/bootstrap/system.py"} == using


def test_no_script_uses_the_browsers_storage() -> None:
    """What a page knows is gone with it."""
    scripts = sorted(SRC.rglob("*.js"))
    found = [f"{path.name}: {word}" for path in scripts for word in STORAGE if word in path.read_text(encoding="utf-8")]

    assert scripts
    assert [] == found
