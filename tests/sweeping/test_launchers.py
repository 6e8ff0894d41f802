"""Launchers, on real processes that run for a fraction of a second."""

import argparse
import json
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from domainbed.cpus import usable_cpus
from domainbed.errors import OUT_OF_MEMORY, InputError
from domainbed.sweeping.jobs import Job
from domainbed.sweeping.launchers import (
    REGISTRY,
    Command,
    dummy_launcher,
    flags,
    local_launcher,
    multi_gpu_launcher,
    processes,
    visible_devices,
)


@contextmanager
def signalled_when(condition, number):
    """Send this process a signal once the condition holds."""
    process, deadline = os.getpid(), time.monotonic() + 20

    def watch():
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
        os.kill(process, number)

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    thread.join()


def interrupted_when(condition):
    return signalled_when(condition, signal.SIGINT)


def python(script, *arguments):
    return shlex.join(["python", "-S", "-c", script, *map(str, arguments)])


def test_the_registry_names_the_launchers():
    assert list(REGISTRY) == ["local", "dummy", "multi_gpu", "slurm"]


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
            "['local', 'dummy', 'multi_gpu', 'slurm', 'mine']",
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


WORDS = ["a b", "it's", '"', "$HOME", "`date`", "\\", "new\nline", "*", "", "ä"]
TELL = "import json, sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w'))"


@pytest.mark.parametrize("name", ["plain", "a b", "it's", 'a "b"', "$HOME", "new\nline", "`date`"])
def test_words_of_any_kind_reach_the_command_by_argv_and_by_the_line(tmp_path, name):
    """The command itself, the line that an old launcher would run in a shell, and that line without a shell."""
    directory = tmp_path / name
    directory.mkdir()
    files = [directory / str(number) for number in range(3)]
    command, line, same = (Command(["python", "-S", "-c", TELL, str(file), *WORDS]) for file in files)
    assert local_launcher([command, str(line)]) == [0, 0]
    subprocess.run(str(same), shell=True, check=True, env={"PATH": os.path.dirname(sys.executable)})
    assert [json.loads(file.read_text()) for file in files] == [WORDS] * 3


def test_a_job_is_launched_as_a_line_that_knows_its_words(tmp_path):
    given = []
    job = Job({"hparams": '{"lr": 1}', "test_envs": [0, 1]}, str(tmp_path / "it's $HOME"))
    Job.launch([job], given.extend)
    assert given == [job.command_str]
    assert given[0].argv == job.argv == shlex.split(given[0])


def test_a_command_survives_a_pickle():
    command = Command(["python", "a b"])
    copy = pickle.loads(pickle.dumps(command))
    assert (copy, copy.argv) == (command, command.argv) == ("python 'a b'", ["python", "a b"])


THREADS = "import os, sys; open(sys.argv[1], 'w').write(os.environ.get('OMP_NUM_THREADS', 'unset'))"


@pytest.mark.parametrize(
    ("cpus", "jobs", "given", "expected"),
    [(8, 3, None, "2"), (2, 4, None, "1"), (8, 1, None, "unset"), (8, 2, "3", "3")],
)
def test_cpus_are_shared_out_unless_the_user_has_done_so(tmp_path, monkeypatch, cpus, jobs, given, expected):
    monkeypatch.setattr(processes, "usable_cpus", lambda: cpus)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    local_launcher([python(THREADS, tmp_path / "threads")], jobs=jobs)
    assert (tmp_path / "threads").read_text() == expected


def test_a_slurm_job_may_use_the_cpus_that_it_asked_for(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")
    assert usable_cpus() == 1
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1000")
    assert usable_cpus() == len(os.sched_getaffinity(0))


# The first attempt waits for another one on its GPU and runs out of memory. Each notes how many it has seen there.
SHORT_OF_MEMORY = f"""if True:
    import os, sys, time
    folder, number, always = sys.argv[1:]
    attempts = f"{{folder}}/attempts-{{number}}"
    again = os.path.exists(attempts)
    kind = f"{{'again' if again else 'first'}}-{{os.environ['CUDA_VISIBLE_DEVICES']}}-"
    open(f"{{folder}}/{{kind}}{{number}}", "w")
    deadline, seen = time.monotonic() + (0.3 if again else 20), 1
    while time.monotonic() < deadline and seen == 1:
        seen = sum(name.startswith(kind) for name in os.listdir(folder))
        time.sleep(0.02)
    if again:
        os.remove(f"{{folder}}/{{kind}}{{number}}")
    with open(attempts, "a") as file:
        print(seen, file=file)
    sys.exit({OUT_OF_MEMORY} if seen > 1 or always == "always" else 0)
"""


def test_multi_gpu_tries_a_job_that_is_out_of_memory_once_more_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    commands = [python(SHORT_OF_MEMORY, tmp_path, number, "never") for number in range(3)]
    commands.append(python(SHORT_OF_MEMORY, tmp_path, 3, "always"))
    assert multi_gpu_launcher(commands, jobs_per_gpu=2) == [0, 0, 0, OUT_OF_MEMORY]
    attempts = [[int(line) for line in (tmp_path / f"attempts-{number}").read_text().split()] for number in range(4)]
    assert attempts == [[2, 1]] * 4


def test_a_device_behind_minus_one_is_not_visible(monkeypatch):
    """As CUDA reads the variable; -1 alone hides all GPUs."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 0,-1,1")
    assert visible_devices() == ["2", "0"]


def test_commands_that_do_not_end_when_told_are_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    stubborn = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    )
    with pytest.raises(KeyboardInterrupt), interrupted_when(lambda: (tmp_path / "pid").exists()):
        local_launcher([python(stubborn, tmp_path / "pid")])
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def chosen(*argv):
    parser = argparse.ArgumentParser()
    flags.add_launcher_flags(parser)
    parser.add_argument("--output_dir")
    return flags.chosen_launcher(parser.parse_args(["--output_dir", "out", *argv]))


def test_processes_that_share_the_cpus_share_the_workers_too(monkeypatch):
    monkeypatch.setattr(processes, "usable_cpus", lambda: 6)
    monkeypatch.setattr(processes, "run", lambda commands, slots: [command.argv for command in commands])
    commands = [Command(["python", "x"])]
    assert chosen("--jobs", "2")(commands) == [["python", "x", "--num_workers", "3"]]
    assert chosen("--jobs", "1", "--device", "cpu")(commands) == [["python", "x", "--device", "cpu"]]
    of_runs = ["--cache_dir", "none", "--checkpoint_minutes", "2.5", "--logger", "tensorboard", "mine"]
    given = ["--jobs", "2", "--num_workers", "0", *of_runs]
    assert chosen(*given)(commands) == [["python", "x", *of_runs, "--num_workers", "0"]]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    argv = ["--command_launcher", "multi_gpu", "--jobs_per_gpu", "4"]
    assert chosen(*argv)(commands) == [["python", "x", "--num_workers", "1"]]


def test_a_launcher_gets_the_flags_that_it_has_parameters_for(monkeypatch):
    monkeypatch.setitem(REGISTRY, "mine", lambda commands, jobs, output_dir: (commands, jobs, output_dir))
    monkeypatch.setitem(REGISTRY, "old", lambda commands: commands)
    assert chosen("--command_launcher", "mine", "--jobs", "3")([]) == ([], 3, "out")
    assert chosen("--command_launcher", "old")(["a"]) == ["a"]
    with pytest.raises(InputError, match="--jobs goes only with --command_launcher local or mine"):
        chosen("--command_launcher", "old", "--jobs", "3")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["gpu"], "--slurm gpu: give KEY=VALUE"),
        (["partition="], "--slurm partition=: give KEY=VALUE"),
        (["time=1:00:00"], "--slurm time=1:00:00: give a whole number of minutes"),
        (["parallel=0"], "--slurm parallel=0: give a whole number of jobs, at least 1"),
        (["time=2", "grace=90"], "--slurm time=2 grace=90: a job would be told to end at once"),
    ],
)
def test_bad_settings_of_slurm_are_refused_before_anything_is_submitted(monkeypatch, tmp_path, settings, message):
    (tmp_path / "sbatch").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        chosen("--command_launcher", "slurm", "--slurm", *settings)


def test_without_slurm_its_launcher_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no sbatch here; launch on a login node"):
        chosen("--command_launcher", "slurm")


SAVING = """if True:
    import os, signal, sys, time
    def save(*_):
        if sys.argv[2] == "saves":
            open(sys.argv[1], "a").write("saved")
            sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    open(sys.argv[1], "w").write("running ")
    time.sleep(60)
"""


@pytest.mark.parametrize("kind", ["saves", "does not"])
def test_a_slurm_job_near_its_time_limit_ends_its_run_before_it_requeues(tmp_path, kind):
    """As submitit does it: a signal handler, which may wait for the run's checkpoint, though not forever."""
    submitit_job = pytest.importorskip("domainbed.sweeping.launchers.slurm_job")
    state = tmp_path / "state"
    job = submitit_job.SlurmJob(Command(["python", "-S", "-c", SAVING, str(state), kind]), patience=0.5)
    requeued = []

    def handle(*_):
        requeued.append(job.checkpoint().function.command)
        sys.exit(7)

    before = signal.signal(signal.SIGUSR2, handle), signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit, match="7"), signalled_when(state.exists, signal.SIGUSR2):
            job()
    finally:
        signal.signal(signal.SIGUSR2, before[0])
        signal.signal(signal.SIGTERM, before[1])
    assert requeued == [job.command]
    assert job.process.wait() == (143 if kind == "saves" else -signal.SIGKILL)
    assert state.read_text() == ("running saved" if kind == "saves" else "running ")


def test_bars_of_children_have_lines_of_their_own(tmp_path):
    note = "import os, sys, time; time.sleep(0.3); open(sys.argv[1], 'w').write(os.environ['TQDM_POSITION'])"
    local_launcher([python(note, tmp_path / str(number)) for number in range(2)], jobs=2)
    assert [(tmp_path / str(number)).read_text() for number in range(2)] == ["1", "2"]
