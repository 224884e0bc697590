"""The rules that bind an agent, by number, in our own words; and why the few that no test carries are without one.

The numbers are those of the rule list that the project is held to: 1 to 110 in eleven sections, one test module each.
A test carries the number of its rule in its name (`test_rule_068_…`), or the id of a requirement of the official test
kit (`test_tck_cancel_001_…`). `test_rules.py` checks that nothing is missing and nothing is excused without need.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Reason(Enum):
    """Why a rule has no test of its own: nothing else counts. What binds the client is shown as being survived."""

    NEVER_SENT = "it tells how to use a request that this agent never sends, which the named test shows"
    NOT_ADVERTISED = "it needs a capability that is not advertised; the named test shows the answer -32601"
    LATER_ISSUE = "it belongs to a feature that a later issue builds; the named test shows that nothing of it is sent"


class Rule(NamedTuple):
    """A rule. With a reason, `instead` names the test that shows it."""

    number: int
    title: str
    reason: Reason | None = None
    instead: str = ""


SECTIONS = {
    "test_4_01_transport": range(1, 21),
    "test_4_02_initialization": range(21, 31),
    "test_4_03_authentication": range(31, 40),
    "test_4_04_sessions": range(40, 54),
    "test_4_05_prompt_turn": range(54, 68),
    "test_4_06_cancellation": range(68, 78),
    "test_4_07_permissions": range(78, 82),
    "test_4_08_modes_and_options": range(82, 89),
    "test_4_09_files_and_terminals": range(89, 96),
    "test_4_10_elicitation": range(96, 102),
    "test_4_11_extensibility": range(102, 111),
}
"""Which module shows which rules."""

_NO_QUESTIONS = "test_rule_096_nothing_is_elicited_from_a_client_whatever_it_offers"
_NO_TERMINAL_LOGIN = "test_rule_031_no_terminal_login_is_offered_to_a_client_that_cannot_run_one"
_NOTHING_GATED = "test_rule_102_gated_updates_go_to_nobody_who_did_not_ask_for_them"

RULES = (
    Rule(1, "messages are JSON in UTF-8"),
    Rule(2, "a message is one line"),
    Rule(3, "stdout carries messages and nothing else, from start to exit"),
    Rule(4, "logs never reach stdout, and a full stderr stops nothing"),
    Rule(5, "line ends, blank lines and junk are survived"),
    Rule(6, "a line that is no JSON is answered once, without an id"),
    Rule(7, "a batch is refused as a whole"),
    Rule(8, "a wrong envelope is refused, by its id where it has one"),
    Rule(9, "an id comes back as it was, type and all"),
    Rule(10, "an answer is a result or an error, and an error is well formed"),
    Rule(11, "a notification is never answered"),
    Rule(12, "what is unknown or not advertised is not found"),
    Rule(13, "an error costs its request and nothing else"),
    Rule(14, "an error says something, on one line"),
    Rule(15, "long lines are taken"),
    Rule(16, "the end of stdin ends the process, soon and cleanly"),
    Rule(17, "paths are absolute, lines count from one"),
    Rule(18, "a running turn blocks nothing else"),
    Rule(19, "order in is order of admission; order out is kept"),
    Rule(20, "our request ids are our own, and a stray answer is harmless"),
    Rule(21, "nothing is served before initialize"),
    Rule(22, "initialize tells the version and the capabilities"),
    Rule(23, "a version that is not ours is answered with ours"),
    Rule(24, "a newer client's initialize is understood"),
    Rule(25, "the agent introduces itself"),
    Rule(26, "every combination of client capabilities works, and what is left out counts as missing"),
    Rule(27, "optional fields are read leniently, required ones are not"),
    Rule(28, "no fields of our own at the root of a type"),
    Rule(29, "what is sent fits the stable schema"),
    Rule(30, "capabilities of our own stand in _meta"),
    Rule(31, "a terminal login is offered only to clients that can run one"),
    Rule(32, "how a terminal login runs", Reason.NOT_ADVERTISED, _NO_TERMINAL_LOGIN),
    Rule(33, "an unknown or terminal method is refused by authenticate"),
    Rule(34, "ids of authentication methods are unique"),
    Rule(35, "after authenticate a session can be made"),
    Rule(36, "without methods nobody is asked to authenticate"),
    Rule(37, "only a missing login is told as one"),
    Rule(38, "logout exists where it is advertised"),
    Rule(39, "initialize needs neither keys nor a network"),
    Rule(40, "session ids are unique"),
    Rule(41, "a session works in its own absolute directory"),
    Rule(42, "the roots are the boundary, for links too"),
    Rule(43, "more directories are checked before anything is made, and hold for one opening"),
    Rule(44, "MCP servers over stdio are joined, and a broken one costs nothing else"),
    Rule(45, "a load shows the whole conversation before it answers"),
    Rule(46, "a resume shows nothing of it"),
    Rule(47, "with more directories the working directory must be the session's"),
    Rule(48, "a close cancels, frees and deactivates"),
    Rule(49, "a list is filtered exactly, paged and newest first"),
    Rule(50, "a delete is for good and may be repeated"),
    Rule(51, "an unknown session is told by its id"),
    Rule(52, "two processes may open the same session"),
    Rule(53, "titles and times are told"),
    Rule(54, "text and links are always taken"),
    Rule(55, "advertised content reaches the model, other content is refused"),
    Rule(56, "a turn ends with one of five reasons"),
    Rule(57, "a turn's updates come before its response, and none behind it"),
    Rule(58, "updates carry their own session's id"),
    Rule(59, "message ids group chunks and outlive a load"),
    Rule(60, "a tool call is reported, started and ended"),
    Rule(61, "content of a call replaces what was there"),
    Rule(62, "a plan is always the whole plan"),
    Rule(63, "usage is told after every model call, and after an opening"),
    Rule(64, "commands are told after the response that names the session"),
    Rule(65, "a second prompt never mingles with the first"),
    Rule(66, "a failed model call is an error, limits are stop reasons"),
    Rule(67, "an empty answer is an end like any other"),
    Rule(68, "a cancelled prompt succeeds, with the reason cancelled"),
    Rule(69, "stream and processes end at once"),
    Rule(70, "what was to be told is told before the cancelled response"),
    Rule(71, "a permission that nobody answers holds up no cancellation"),
    Rule(72, "a cancellation of nothing is nothing"),
    Rule(73, "a race of end and cancellation has one answer"),
    Rule(74, "what was said before a cancellation stays"),
    Rule(75, "a cancelled request is answered all the same"),
    Rule(76, "our own open requests are withdrawn"),
    Rule(77, "whatever waits can be cancelled"),
    Rule(78, "only an offered yes is a yes"),
    Rule(79, "options are distinct and belong to a call that is known"),
    Rule(80, "a failed question fails the call, and an always is remembered"),
    Rule(81, "questions may overlap and be answered in any order"),
    Rule(82, "every option has a current value out of its own"),
    Rule(83, "options are always told completely"),
    Rule(84, "no boolean options for clients that do not know them"),
    Rule(85, "mode and option are the same thing, told twice"),
    Rule(86, "categories are known ones or begin with an underscore"),
    Rule(87, "unknown choices are refused; a change in mid-turn holds from the next model call"),
    Rule(88, "no session waits for a list of models from the network"),
    Rule(89, "client files and terminals are used only where offered, each by itself"),
    Rule(90, "client files are asked for by absolute path"),
    Rule(91, "every client terminal is released"),
    Rule(92, "a client terminal that takes too long is killed, read and released"),
    Rule(93, "a client terminal is embedded before it is released"),
    Rule(94, "output that the client cut is told as cut"),
    Rule(95, "a client's error costs one call"),
    Rule(96, "no question by a way that was not offered"),
    Rule(97, "no secrets in forms", Reason.NEVER_SENT, _NO_QUESTIONS),
    Rule(98, "anything but an acceptance is none", Reason.NEVER_SENT, _NO_QUESTIONS),
    Rule(99, "ids of elicitations are unique", Reason.NEVER_SENT, _NO_QUESTIONS),
    Rule(100, "nothing private in URLs", Reason.NEVER_SENT, _NO_QUESTIONS),
    Rule(101, "state is bound to its user", Reason.NEVER_SENT, _NO_QUESTIONS),
    Rule(102, "gated updates only where asked for"),
    Rule(103, "how a compaction is told", Reason.LATER_ISSUE, _NOTHING_GATED),
    Rule(104, "a notice has a title, is live only, and has a substitute"),
    Rule(105, "requests of an extension are answered, and _meta is harmless"),
    Rule(106, "trace context is left alone and passed on"),
    Rule(107, "telemetry is out of band"),
    Rule(108, "children are announced first", Reason.LATER_ISSUE, _NOTHING_GATED),
    Rule(109, "a client's system prompt is added, replaces, or is refused"),
    Rule(110, "a given title stays; a status changes nothing"),
)

TCK = (
    "TRANSPORT-001", "TRANSPORT-002",
    "JSONRPC-001", "JSONRPC-002", "JSONRPC-003", "JSONRPC-004", "JSONRPC-005",
    "INIT-001", "INIT-002", "INIT-003", "INIT-004",
    "SCHEMA-001", "SCHEMA-002",
    "SESSION-001", "SESSION-002",
    "PROMPT-001", "PROMPT-002", "PROMPT-003",
    "CANCEL-001", "CANCEL-002",
    "LOAD-001", "LOAD-002", "LOAD-003",
    "RESUME-001", "RESUME-002",
    "LIST-001", "LIST-002",
    "DELETE-001", "DELETE-002",
    "CLOSE-001", "CLOSE-002",
    "ADDDIRS-001",
    "MODES-001", "MODES-002",
    "CONFIG-001", "CONFIG-002", "CONFIG-003",
    "PROMPTCAP-001", "PROMPTCAP-002", "PROMPTCAP-003",
    "AUTH-001", "AUTH-002", "AUTH-003", "AUTH-004", "AUTH-005",
    "CLIENTCAP-001", "CLIENTCAP-002", "CLIENTCAP-003",
    "EXT-001", "META-001", "ERROR-001", "SHUTDOWN-001", "STDERR-001",
    "INFO-PARSE-001", "INFO-INVALIDREQ-001", "INFO-UNKNOWNSESSION-001",
)  # fmt: skip
"""The requirements of the official test kit for version 1."""
