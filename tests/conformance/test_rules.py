"""The table of rules is whole: each has a test that carries its number, or one of few reasons and what shows it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.rules import RULES, SECTIONS, TCK, Rule

FOLDER = Path(__file__).parent


def _tests() -> dict[str, str]:
    """The name of every test in this folder, to the module that holds it."""
    return {
        node.name: path.stem
        for path in sorted(FOLDER.glob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


TESTS = _tests()
SHOWN = {name: int(found[1]) for name in TESTS if (found := re.match(r"test_rule_(\d{3})_", name))}
KIT = {
    name: f"{found[1].replace('_', '-')}-{found[2]}".upper()
    for name in TESTS
    if (found := re.match(r"test_tck_([a-z_]+?)_(\d{3})_", name))
}


def test_the_table_has_every_rule_once_in_order() -> None:
    assert [rule.number for rule in RULES] == list(range(1, 111))
    assert [number for numbers in SECTIONS.values() for number in numbers] == list(range(1, 111))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.number:03}")
def test_a_rule_has_a_test_or_a_reason_and_never_both(rule: Rule) -> None:
    shown = [name for name, number in SHOWN.items() if number == rule.number]
    if rule.reason is None:
        assert shown, f"nothing shows rule {rule.number}: {rule.title}"
    else:
        assert not shown, f"rule {rule.number} is excused and shown"
        assert rule.instead in TESTS, f"nothing shows the reason: {rule.instead!r}"


def test_every_test_stands_in_the_module_of_its_section() -> None:
    wrong = {name: TESTS[name] for name, number in SHOWN.items() if number not in SECTIONS.get(TESTS[name], ())}
    assert wrong == {}


def test_every_requirement_of_the_kit_has_exactly_one_test() -> None:
    assert Counter(KIT.values()) == Counter(TCK)


def test_every_test_of_a_section_carries_the_number_of_a_rule() -> None:
    assert [name for name, module in TESTS.items() if module in SECTIONS and name not in SHOWN] == []
    assert [name for name, module in TESTS.items() if module == "test_tck" and name not in KIT] == []
