"""Launchers, on real processes that run for a fraction of a second."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from domainbed.errors import InputError
from domainbed.sweeping.launchers import REGISTRY, dummy_launcher, local_launcher, multi_gpu_launcher


def python(script, *arguments):
    return shlex.join(["python", "-S", "-c", script, *map(str, arguments)])


def test_the_registry_names_the_launchers():
    assert list(REGISTRY) == ["local", "dummy", "multi_gpu"]


def test_dummy_only_prints(capsys):
    assert dummy_launcher(["a --b c", "d"]) is None
    assert capsys.readouterr().out == "Dummy launcher: a --b c\nDummy launcher: d\n"


def test_local_returns_exit_codes_in_order_and_goes_on_after_a_failure():
    commands = [python(f"import sys; sys.exit({code})") for code in (3, 0, 1)]
    assert local_launcher(commands) == [3, 0, 1]
    assert local_launcher(commands, jobs=2) == [3, 0, 1]
    assert local_launcher([]) == []


def test_local_tells_a_signal_from_an_exit():
    assert local_launcher([python("import os; os.kill(os.getpid(), 9)")]) == [-9]


def test_local_runs_the_interpreter_that_runs_it(tmp_path):
    where = tmp_path / "where"
    local_launcher([python("import sys; open(sys.argv[1], 'w').write(sys.executable)", where)])
    assert where.read_text() == sys.executable


@pytest.mark.parametrize("jobs", [1, 3])
def test_local_runs_as_many_at_a_time_as_allowed(tmp_path, jobs):
    """Every command notes when it began and ended; the largest number that overlap is the bound, and it is reached."""
    script = "import sys, time; a = time.time(); time.sleep(0.4); open(sys.argv[1], 'w').write(f'{a} {time.time()}')"
    local_launcher([python(script, tmp_path / str(number)) for number in range(2 * jobs)], jobs=jobs)
    spans = [tuple(map(float, path.read_text().split())) for path in tmp_path.iterdir()]
    assert len(spans) == 2 * jobs
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) == jobs


def test_what_a_command_prints_stays_out_of_the_sweeps_output(capfd):
    local_launcher([python("print('noise')")])
    assert "noise" not in capfd.readouterr().out


def test_an_interrupted_launcher_ends_its_commands_and_starts_no_more(tmp_path):
    sleep = "import sys, os, time; open(f'{sys.argv[1]}/{os.getpid()}', 'w'); time.sleep(60)"
    commands = [python(sleep, tmp_path)] * 4
    script = (  # under nohup, or in the background of a script, Python would ignore the signal
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from domainbed.sweeping.launchers import local_launcher; local_launcher({commands}, jobs=2)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    while len(os.listdir(tmp_path)) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) != 0
    assert len(os.listdir(tmp_path)) == 2
    for pid in os.listdir(tmp_path):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_multi_gpu_gives_each_device_one_command_at_a_time(tmp_path, monkeypatch, capsys):
    """Device ids are only names to the launcher, so any will do; empty ones are dropped."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,,GPU-a")
    script = (
        "import sys, os, time; a = time.time(); time.sleep(0.2); "
        "open(sys.argv[1], 'w').write(' '.join([os.environ['CUDA_VISIBLE_DEVICES'], str(a), str(time.time())]))"
    )
    commands = [python(script, tmp_path / str(number)) for number in range(4)]
    given = list(commands)
    assert multi_gpu_launcher(commands) == [0] * 4
    assert commands == given
    assert capsys.readouterr().out == "WARNING: using experimental multi_gpu_launcher.\n"
    spans = [path.read_text().split() for path in tmp_path.iterdir()]
    assert {device for device, _, _ in spans} == {"7", "GPU-a"}
    for device in ("7", "GPU-a"):
        (_, first_end), (second_start, _) = sorted((float(a), float(b)) for name, a, b in spans if name == device)
        assert first_end <= second_start


def test_multi_gpu_without_devices_says_so(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError, match="--command_launcher local"):
        multi_gpu_launcher(["true"])


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (
            "def register_command_launchers(registry): registry['mine'] = print",
            "['local', 'dummy', 'multi_gpu', 'mine']",
        ),
        ("import no_such_module", "No module named 'no_such_module'"),
    ],
)
def test_the_hook_registers_launchers_and_shows_its_errors(tmp_path, module, expected):
    """A copy of the package with the module added, in an interpreter of its own."""
    package = tmp_path / "domainbed"
    package.mkdir()
    (package / "facebook.py").write_text(module)
    script = (
        f"import domainbed; domainbed.__path__.append({str(package)!r}); "
        "from domainbed.sweeping.launchers import REGISTRY; print(list(REGISTRY))"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert expected in outcome.stdout + outcome.stderr


def test_bars_of_children_have_lines_of_their_own(tmp_path):
    note = "import os, sys, time; time.sleep(0.3); open(sys.argv[1], 'w').write(os.environ['TQDM_POSITION'])"
    local_launcher([python(note, tmp_path / str(number)) for number in range(2)], jobs=2)
    assert [(tmp_path / str(number)).read_text() for number in range(2)] == ["1", "2"]
