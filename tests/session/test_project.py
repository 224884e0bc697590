"""Which project a folder belongs to, in repositories of every shape, hostile ones included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from acp_agent.session.project import Project, discover, git

pytestmark = pytest.mark.anyio

AUTHOR = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x"}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


def run_git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **AUTHOR}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    run_git(folder, "init", "-q")
    run_git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    run_git(folder, "commit", "-q", "--allow-empty", "-m", "second")
    return folder


async def test_the_first_commit_is_the_id_from_every_folder_and_worktree(repository):
    first = run_git(repository, "rev-list", "--max-parents=0", "HEAD")
    sub = repository / "a" / "b"
    sub.mkdir(parents=True)
    linked = repository.parent / "linked"
    run_git(repository, "worktree", "add", "-q", str(linked))
    assert await discover(repository, os.environ) == Project(first, repository, "git")
    assert await discover(sub, os.environ) == Project(first, repository, "git")
    assert await discover(linked, os.environ) == Project(first, linked, "git")


async def test_of_several_first_commits_the_smallest_is_the_id(repository):
    branch = run_git(repository, "symbolic-ref", "--short", "HEAD")
    run_git(repository, "checkout", "-q", "--orphan", "other")
    run_git(repository, "commit", "-q", "--allow-empty", "-m", "another first")
    run_git(repository, "merge", "-q", "--allow-unrelated-histories", "-m", "both", branch)
    roots = run_git(repository, "rev-list", "--max-parents=0", "HEAD").split()
    assert len(roots) == 2
    assert (await discover(repository, os.environ)).id == min(roots)


async def test_outside_git_the_project_is_global(tmp_path):
    assert await discover(tmp_path, os.environ) == Project("global", Path(tmp_path.anchor), None)


async def test_a_repository_without_commits_has_a_worktree_and_no_id(tmp_path):
    run_git(tmp_path, "init", "-q")
    assert await discover(tmp_path, os.environ) == Project("global", tmp_path, "git")


async def test_something_that_is_no_repository_is_no_error(tmp_path):
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert await discover(tmp_path, os.environ) == Project("global", tmp_path, "git")


async def test_git_may_be_missing(repository):
    assert await discover(repository, {"PATH": ""}) == Project("global", repository, "git")


async def test_our_own_git_variables_and_keys_do_not_reach_git(repository, tmp_path):
    first = run_git(repository, "rev-list", "--max-parents=0", "HEAD")
    environ = {**os.environ, "GIT_DIR": str(tmp_path / "elsewhere"), "GIT_WORK_TREE": "/", "OPENAI_API_KEY": "k"}
    assert (await discover(repository, environ)).id == first


@pytest.mark.skipif(sys.platform == "win32", reason="writes shell scripts")
async def test_what_a_hostile_repository_configures_does_not_run(repository, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/pwned\n")
    script.chmod(0o755)
    (repository / "file").write_text("x")
    run_git(repository, "add", "file")
    for option in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "credential.helper",
                   "diff.external", "filter.x.clean", "filter.x.process", "gpg.program", "core.askPass"):  # fmt: skip
        run_git(repository, "config", option, str(script))
    run_git(repository, "config", "core.hooksPath", str(tmp_path))
    (tmp_path / "post-index-change").symlink_to(script)
    (tmp_path / "fsmonitor-watchman").symlink_to(script)
    (repository / ".gitattributes").write_text("* filter=x\n")
    (repository / "file").write_text("changed")
    project = await discover(repository, os.environ)
    assert len(project.id) == 40
    listing = await git(
        repository, ["ls-files", "--cached", "--others", "-z"], os.environ, 1000, work_tree=project.worktree
    )
    assert listing == b".gitattributes\0file\0"
    assert not (tmp_path / "pwned").exists()


async def test_output_is_bounded(repository):
    (repository / "file").write_text("x")
    arguments = ["ls-files", "--others"]
    assert await git(repository, arguments, os.environ, 2, work_tree=repository, partial=True) == b"fi"
    assert await git(repository, arguments, os.environ, 2, work_tree=repository) is None


@pytest.mark.skipif(sys.platform == "win32", reason="writes shell scripts")
async def test_a_git_that_hangs_is_given_up_and_one_that_says_too_much_is_killed(tmp_path):
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho output\nexec sleep 60\n")
    program.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    assert await git(tmp_path, ["ls-files"], environ, 3, work_tree=tmp_path, partial=True) == b"out"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert await git(tmp_path, ["ls-files"], environ, 100, work_tree=tmp_path, seconds=0.05) is None
