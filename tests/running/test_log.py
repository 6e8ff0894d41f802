"""What is printed reaches the screen and the files, each stream its own, and nothing stays redirected."""

import logging
import sys

import pytest

from domainbed.running.log import Tee, tee


def test_each_stream_goes_to_its_own_file_and_to_the_screen(tmp_path, capsys):
    (tmp_path / "out.txt").write_text("before\n")
    with tee(tmp_path):
        print("result")
        print("trouble", file=sys.stderr)
    assert (tmp_path / "out.txt").read_text() == "before\nresult\n"
    assert (tmp_path / "err.txt").read_text() == "trouble\n"
    screen = capsys.readouterr()
    assert (screen.out, screen.err) == ("result\n", "trouble\n")


def test_streams_are_restored_and_files_closed_after_an_exception_which_err_txt_keeps(tmp_path):
    before = sys.stdout, sys.stderr
    during = []

    def fail():
        with tee(tmp_path):
            during.extend([sys.stdout, sys.stderr])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (sys.stdout, sys.stderr) == before
    assert all(stream.closed for stream in during)
    assert not before[0].closed
    assert "ZeroDivisionError" in (tmp_path / "err.txt").read_text()


def test_every_write_is_on_disk_at_once(tmp_path, capsys):
    with Tee(tmp_path / "log", mode="w") as log:
        assert log.write("half a line") == 11
        assert (tmp_path / "log").read_text() == "half a line"


def test_a_tee_is_as_good_as_the_stream_it_stands_for(tmp_path):
    with open(tmp_path / "screen", "w", encoding="latin-1") as screen, Tee(tmp_path / "log", stream=screen) as log:
        assert log.fileno() == screen.fileno()
        assert log.encoding == "latin-1"
        assert not log.isatty()
        assert log.writable()
        log.writelines(["a", "b"])
        print("c", file=log)
    assert (tmp_path / "log").read_text() == "abc\n"
    assert (tmp_path / "screen").read_text() == "abc\n"


def test_logs_reach_err_txt(tmp_path, capsys):
    log = logging.getLogger("tee")
    with tee(tmp_path):
        log.addHandler(handler := logging.StreamHandler())
        log.warning("logged")
        log.removeHandler(handler)
    assert (tmp_path / "err.txt").read_text() == "logged\n"
