"""The rules: which one counts, what lifts what, and what nothing lifts."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from acp_agent.session.permissions import PLAN_RULES, Policy, Rule, matches, rules
from acp_agent.tools.base import Subject


def _subject(permission: str, pattern: str, **more: str) -> Subject:
    return Subject(permission, pattern, more.pop("always", pattern), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("*", "a/b\nc", True),
        ("*.env", "a/b/.env", True),
        ("*.env", ".environment", False),
        ("ls *", "ls", True),
        ("ls *", "ls -l /", True),
        ("ls *", "lsof", False),
        ("git ?ush", "git push", True),
        ("a.b", "axb", False),
        ("src/*", "src/a/b.py", True),
        ("(", "(", True),
        (" *", "", True),
    ],
)
def test_wildcards(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(st.text(max_size=20))
def test_a_text_without_wildcards_matches_itself_only(text: str) -> None:
    if not set(text) & {"*", "?"}:
        assert matches(text, text)
        assert not matches(text, text + "x")


@pytest.mark.parametrize(
    ("setting", "subject", "expected"),
    [
        (None, _subject("edit", "a.py"), "allow"),
        (None, _subject("read", "config/.env"), "ask"),
        (None, _subject("read", ".env.local"), "ask"),
        (None, _subject("read", ".env.example"), "allow"),
        (None, _subject("external_directory", "/etc/*"), "ask"),
        (None, _subject("doom_loop", "bash"), "ask"),
        ("ask", _subject("edit", "a.py"), "ask"),
        ("deny", _subject("read", "a.py"), "deny"),
        ("allow", _subject("external_directory", "/etc/*"), "allow"),
        ({"bash": "ask"}, _subject("bash", "ls"), "ask"),
        ({"bash": {"*": "deny", "git *": "allow"}}, _subject("bash", "git status"), "allow"),
        ({"bash": {"git *": "allow", "*": "deny"}}, _subject("bash", "git status"), "deny"),
        ({"bash": {"*": "allow", "rm *": "deny"}}, _subject("bash", "rm x"), "deny"),
        ({"*": "deny", "read": "allow"}, _subject("read", "a.py"), "allow"),
        ({"*": "deny", "read": "allow"}, _subject("edit", "a.py"), "deny"),
        ({"read": {"*": "allow"}}, _subject("read", ".env"), "allow"),
        ({"bash": "nonsense"}, _subject("bash", "ls"), "ask"),
    ],
)
def test_the_last_matching_rule_counts(setting: object, subject: Subject, expected: str) -> None:
    assert Policy(rules(setting)).decide([subject]).action == expected  # type: ignore[arg-type]


def test_one_refused_subject_refuses_the_call_and_the_reason_names_the_rule() -> None:
    policy = Policy(rules({"bash": {"*": "ask", "rm *": "deny"}}))
    decision = policy.decide([_subject("bash", "ls"), _subject("bash", "rm x")])
    assert (decision.action, decision.reason) == ("deny", 'the rule "bash": "rm *" = deny')


def test_what_a_person_allowed_for_good_covers_its_pattern_and_no_more() -> None:
    policy = Policy(rules({"bash": "ask"}))
    decision = policy.decide([_subject("bash", "git status", always="git status *")])
    assert decision.action == "ask"
    policy.grant(decision.asked)
    assert policy.decide([_subject("bash", "git status -s")]).action == "allow"
    assert policy.decide([_subject("bash", "git push")]).action == "ask"
    assert policy.decide([_subject("bash", "git status"), _subject("bash", "rm x")]).action == "ask"


def test_a_grant_does_not_lift_a_refusal() -> None:
    policy = Policy(rules({"bash": {"rm *": "deny"}}), granted=[Rule("bash", "*", "allow")])
    assert policy.decide([_subject("bash", "rm x")]).action == "deny"


def test_nothing_lifts_the_floor() -> None:
    policy = Policy(rules({"*": "allow", "bash": {"rm *": "allow"}}))
    dangerous = _subject("bash", "rm -rf /", danger="it removes /")
    for _ in range(2):
        decision = policy.decide([dangerous])
        assert (decision.action, decision.reason, decision.may_be_remembered) == ("ask", "it removes /", False)
        policy.grant([dangerous])


def test_a_caution_asks_until_a_rule_or_a_person_allows_just_that() -> None:
    careful = _subject("bash", "git push --force", always="git push *", caution="it rewrites history elsewhere")
    assert Policy().decide([careful]).action == "ask"
    assert Policy(rules("allow")).decide([careful]).action == "ask"
    assert Policy(rules({"bash": "allow"})).decide([careful]).action == "ask"
    assert Policy(rules({"bash": {"git push --force": "allow"}})).decide([careful]).action == "allow"
    policy = Policy()
    policy.grant([careful])
    assert policy.decide([careful]).action == "allow"


def test_plan_mode_writes_nothing_and_asks_before_any_command_whatever_is_allowed() -> None:
    policy = Policy(rules({"edit": "allow", "bash": {"*": "allow", "ls": "allow"}}), PLAN_RULES)
    assert policy.decide([_subject("edit", "a.py")]).action == "deny"
    for _ in range(2):
        decision = policy.decide([_subject("bash", "ls")])
        assert (decision.action, decision.may_be_remembered) == ("ask", False)
        policy.grant(decision.asked)
    assert policy.decide([_subject("read", "a.py")]).action == "allow"


def test_plan_mode_does_not_lift_a_refusal() -> None:
    assert Policy(rules({"bash": "deny"}), PLAN_RULES).decide([_subject("bash", "ls")]).action == "deny"


def test_a_tool_is_hidden_only_when_all_of_it_is_refused() -> None:
    assert Policy(rules({"edit": "deny"})).hides("edit")
    assert Policy(rules("deny")).hides("bash")
    assert not Policy(rules({"edit": {"*": "deny", "docs/*": "allow"}})).hides("edit")
    assert not Policy((), PLAN_RULES).hides("edit")


def test_home_is_expanded_in_patterns(home: object) -> None:
    policy = Policy(rules({"external_directory": {"~/notes/*": "allow"}}))
    assert policy.decide([_subject("external_directory", f"{home}/notes/*")]).action == "allow"
