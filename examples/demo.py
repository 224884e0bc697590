"""The agent at work, without a key and without a network: `make demo`.

Makes a scratch git repository with a failing test, starts `agent acp` with a scripted model, drives it with the example
client, and shows what a client can show: text, plan, tool calls, the change, the output of the test. In the end it runs
the test itself; the exit status is 0 if it passes then. Nothing outside a temporary folder is read or written.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from minimal_client import Client, Message

SCRIPT = Path(__file__).with_name("scripted") / "fix-the-test.json"
PROMPT = "The test of basket.py fails. Find out why, mend it, and run the test."

FILES = {
    "basket.py": '''\
        """A shopping basket. Prices are whole cents."""


        def total(prices, discount_percent=0):
            """The sum of the prices, less the discount."""
            return sum(prices) - discount_percent


        def cheapest(prices):
            """The lowest price."""
            return min(prices)
        ''',
    "test_basket.py": """\
        import unittest

        import basket


        class Basket(unittest.TestCase):
            def test_a_discount_is_a_share_of_the_sum(self):
                self.assertEqual(basket.total([600, 400], discount_percent=10), 900)

            def test_the_cheapest_price_is_the_lowest(self):
                self.assertEqual(basket.cheapest([600, 400]), 400)


        if __name__ == "__main__":
            unittest.main()
        """,
}


class Paint:
    """Colours on a terminal that wants them, and marks that its encoding has."""

    def __init__(self) -> None:
        self._coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        unicode = (sys.stdout.encoding or "").lower().startswith("utf")
        self.done, self.failed, self.now, self.open, self.bar = "✓✗▸·│" if unicode else "+x>.|"

    def __call__(self, style: str, text: str) -> str:
        """The text in a style: a sequence of SGR numbers, such as `1;32` for bold green; or none."""
        return f"\x1b[{style}m{text}\x1b[0m" if self._coloured and style and text else text


class Screen:
    """Prints updates as they come. `project` is cut off the paths."""

    def __init__(self, project: Path, paint: Paint) -> None:
        self._project = project
        self._paint = paint
        self._shown_last = ""
        self._shown: set[str] = set()
        self.failures = 0

    def heading(self, text: str) -> None:
        """A line that begins a part."""
        self._part(text)
        print(self._paint("1", text), flush=True)

    def lines(self, text: str, style: str = "2") -> None:
        """Output of a program, marked at the left."""
        for line in text.rstrip("\n").split("\n"):
            print(f"  {self._paint('2', self._paint.bar)} {self._paint(style, line)}".rstrip(), flush=True)

    def update(self, update: Message) -> None:
        """Show one update of the agent."""
        match update:
            case {"sessionUpdate": "agent_message_chunk", "content": {"text": str(text)}}:
                self._part("text")
                print(text, end="", flush=True)
            case {"sessionUpdate": "plan", "entries": entries}:
                self._plan(entries)
            case {"sessionUpdate": "tool_call_update", "status": "in_progress", "kind": "execute"}:
                self._command(update)
            case {"sessionUpdate": "tool_call_update", "status": "completed" | "failed"}:
                self._call(update)

    def _part(self, name: str) -> None:
        """An empty line, and the end of running text, before another kind of thing."""
        if self._shown_last != name:
            print("\n" if self._shown_last == "text" else "", flush=True)
        self._shown_last = name

    def _plan(self, entries: list[Message]) -> None:
        self._part("plan")
        marks = {
            "completed": self._paint("32", self._paint.done),
            "in_progress": self._paint("33", self._paint.now),
            "pending": self._paint("2", self._paint.open),
        }
        print(f"  {self._paint('1;36', 'Plan')}")
        for entry in entries:
            text = self._paint("2" if entry["status"] == "completed" else "", entry["content"])
            print(f"  {marks[entry['status']]} {text}", flush=True)

    def _command(self, update: Message) -> None:
        if update["toolCallId"] not in self._shown:
            self._shown.add(update["toolCallId"])
            self._part(update["toolCallId"])
            command = str((update.get("rawInput") or {}).get("command", update["title"]))
            print(f"  {self._paint('1;35', '$')} {self._paint('1', command)}", flush=True)

    def _call(self, update: Message) -> None:
        self.failures += update["status"] == "failed"
        if update.get("kind") == "think":
            return  # the plan was shown already
        if update.get("kind") == "execute":
            self._command(update)
            self.lines(_text(update))
            return
        self._part(str(update.get("name")))
        well = update["status"] == "completed"
        mark = self._paint("32", self._paint.done) if well else self._paint("31", self._paint.failed)
        print(f"  {mark} {self._paint('1', str(update.get('name')))} {update['title']}", flush=True)
        if not well:
            self.lines(_text(update), "31")
        for content in update.get("content") or ():
            if content["type"] == "diff":
                self._diff(content)

    def _diff(self, diff: Message) -> None:
        name = Path(diff["path"]).relative_to(self._project).as_posix()
        old, new = (diff.get("oldText") or "").splitlines(), diff["newText"].splitlines()
        styles = {"+": "32", "-": "31", "@": "36"}
        for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", lineterm=""):
            self.lines(line, "1" if line.startswith(("+++", "---")) else styles.get(line[0], ""))


def _text(update: Message) -> str:
    """The text of a call, without the Markdown fences around output."""
    texts = [content["content"].get("text", "") for content in update.get("content") or () if "content" in content]
    return "\n".join(line for line in "\n".join(texts).split("\n") if not line.startswith("```"))


def use_home(home: Path) -> None:
    """From here on a home of its own, this Python first on the path, and no other configuration of the agent."""
    home.mkdir()
    config = {
        "model": "scripted/demo",
        "provider": {
            "scripted": {
                "options": {"script": str(SCRIPT)},
                "models": {"demo": {"name": "Demo", "limit": {"context": 100_000, "output": 4_000}}},
            }
        },
    }
    for name in list(os.environ):
        if name.startswith(("OPENCODE_", "XDG_", "GIT_")):
            del os.environ[name]
    os.environ["HOME"] = os.environ["USERPROFILE"] = str(home)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    os.environ["PYTHONDONTWRITEBYTECODE"] = os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    os.environ["OPENCODE_CONFIG_CONTENT"] = json.dumps(config)


def make_repository(project: Path) -> None:
    """A git repository with one commit: a module, and a test that it fails."""
    project.mkdir()
    for name, text in FILES.items():
        (project / name).write_text(textwrap.dedent(text), encoding="utf-8", newline="\n")
    settings = ["-c", "user.name=Demo", "-c", "user.email=demo@example.invalid", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "A basket"]):
        subprocess.run(["git", *settings, *arguments], cwd=project, check=True)


def run_test(project: Path) -> tuple[bool, str]:
    """Whether the test passes, and the last line that it wrote."""
    done = subprocess.run([sys.executable, "-m", "unittest"], cwd=project, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr.strip().splitlines()[-1]


def converse(project: Path, screen: Screen) -> str:
    """One prompt to a new agent process; gives the stop reason."""
    # Nothing in this script asks; if something ever does, the answer is no.
    client = Client([sys.executable, "-m", "acp_agent", "acp"], screen.update, lambda _request: "reject_once")
    try:
        agent = client.request("initialize", protocolVersion=1, clientCapabilities={})["agentInfo"]
        session = client.request("session/new", cwd=str(project), mcpServers=[])["sessionId"]
        screen.heading(f"{agent['title']} {agent['version']} over stdio, with a scripted model")
        screen.lines(PROMPT, "")
        answer = client.request("session/prompt", sessionId=session, prompt=[{"type": "text", "text": PROMPT}])
        return str(answer["stopReason"])
    finally:
        client.process.communicate()  # the end of its input ends the agent


def demonstrate(folder: Path) -> bool:
    """The whole demonstration in an empty folder; whether everything went well."""
    project, paint = folder / "basket", Paint()
    screen = Screen(project, paint)
    use_home(folder / "home")
    make_repository(project)
    passed, result = run_test(project)
    screen.heading("A new repository with a failing test")
    screen.lines(f"python -m unittest: {result}", "31")
    if passed:
        return False

    reason = converse(project, screen)

    screen.heading("What really changed")
    changed = subprocess.run(["git", "diff", "--stat"], cwd=project, capture_output=True, text=True, check=True).stdout
    screen.lines(changed or "nothing", "")
    passed, result = run_test(project)
    screen.lines(f"python -m unittest: {result}", "32" if passed else "31")
    well = passed and bool(changed) and reason == "end_turn" and not screen.failures
    verdict = ("1;32", f"{paint.done} the test passes") if well else ("1;31", f"{paint.failed} something went wrong")
    print(f"\n{paint(*verdict)} (the agent ended with {reason})")
    return well


def main() -> int:
    """The command line; returns the exit status."""
    if shutil.which("git") is None:
        print("The demonstration needs git on the PATH.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="acp-agent-demo-", ignore_cleanup_errors=True) as folder:
        return 0 if demonstrate(Path(folder).resolve()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
