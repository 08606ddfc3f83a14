"""Dead letters: whole lines with reasons, once per uid, whatever tears the file."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from otel_stdlib.delivery import letterfile
from otel_stdlib.delivery.deadletter import DeadLetterFile
from otel_stdlib.facts.identity import Identity
from tests.delivery.parts import ORIGIN, frame
from tests.support import take_over

IDENTITY = Identity("elasticsearch", "https://logs:9200/app")


def test_a_letter_has_the_record_and_the_reason(tmp_path: Path) -> None:
    """What was refused, by whom, why; credentials in the reason are masked."""
    letters = DeadLetterFile.for_target(tmp_path / "root", IDENTITY)
    letters.write(ORIGIN, [(frame(7), "bad field at https://me:secret@logs/app")])
    [letter] = letters.read()
    assert letter["destination"] == {"kind": "elasticsearch", "key": "https://logs:9200/app"}
    assert letter["reason"] == "bad field at https://***@logs/app"
    assert letter["record"]["body"] == "7"
    assert letter["record"]["resource"] == {"service.name": "tests"}
    assert letter["uid"] == letter["record"]["attributes"]["log.record.uid"]
    assert letters.path is not None
    assert stat.S_IMODE(letters.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(letters.path.parent.stat().st_mode) == 0o700


def test_each_uid_is_read_once(tmp_path: Path) -> None:
    """A kill between the letter and the cursor writes it twice; reading does not."""
    letters = DeadLetterFile(tmp_path / "d.jsonl", IDENTITY)
    letters.write(ORIGIN, [(frame(1), "a")])
    letters.write(ORIGIN, [(frame(1), "a"), (frame(2), "b")])
    assert [letter["record"]["body"] for letter in letters.read()] == ["1", "2"]


def test_a_torn_letter_does_not_spoil_the_next(tmp_path: Path) -> None:
    """After a torn line the next letter begins on a line of its own."""
    letters = DeadLetterFile(tmp_path / "d.jsonl", IDENTITY)
    letters.write(ORIGIN, [(frame(1), "a")])
    with open(tmp_path / "d.jsonl", "ab") as file:
        file.write(b'{"uid":"torn')
    letters.write(ORIGIN, [(frame(2), "b")])
    assert [letter["record"]["body"] for letter in letters.read()] == ["1", "2"]


def test_the_file_turns_over(tmp_path: Path) -> None:
    """Beyond its size the file becomes ``.1``; both are read."""
    letters = DeadLetterFile(tmp_path / "d.jsonl", IDENTITY, max_bytes=100)
    for number in (1, 2):
        letters.write(ORIGIN, [(frame(number), "x")])
    assert (tmp_path / "d.jsonl.1").exists()
    assert [letter["record"]["body"] for letter in letters.read()] == ["1", "2"]


def test_in_memory(tmp_path: Path) -> None:
    """For a spool in memory the letters are kept there."""
    letters = DeadLetterFile.for_target(None, IDENTITY)
    letters.write(ORIGIN, [(frame(1), "a")])
    assert [letter["reason"] for letter in letters.read()] == ["a"]


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """When the file cannot grow, the write raises and what was there stays whole."""
    script = f"""
import resource, signal
from pathlib import Path
from otel_stdlib.facts.identity import Identity
from otel_stdlib.delivery import letterfile
from otel_stdlib.delivery.deadletter import DeadLetterFile
from tests.delivery.parts import ORIGIN, frame
from tests.support import take_over
letters = DeadLetterFile(Path({str(tmp_path / "d.jsonl")!r}), Identity("k", "x"))
letters.write(ORIGIN, [(frame(1), "a")])
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    letters.write(ORIGIN, [(frame(n), "b" * 100) for n in range(2, 50)])
except OSError as error:
    print("refused", error.errno)
print([letter["record"]["body"] for letter in letters.read()])
"""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert done.stdout.splitlines() == ["refused 27", "['1']"]
    assert resource.RLIMIT_FSIZE is not None


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_in_the_file_s_place_is_not_followed(tmp_path: Path) -> None:
    """Somebody else's link does not make us write elsewhere."""
    (tmp_path / "target").write_text("")
    (tmp_path / "d.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match=r"."):
        DeadLetterFile(tmp_path / "d.jsonl", IDENTITY).write(ORIGIN, [(frame(1), "a")])
    assert (tmp_path / "target").read_text() == ""


def test_letters_of_several_processes_are_all_kept(tmp_path: Path) -> None:
    """Two processes write and turn over at once: every letter is in a file or counted."""
    script = f"""
import sys
from collections import Counter
from pathlib import Path
from otel_stdlib.facts.identity import Identity
from otel_stdlib.delivery import letterfile
from otel_stdlib.delivery.deadletter import DeadLetterFile
from tests.delivery.parts import ORIGIN, frame
from tests.support import take_over
gone = Counter()
letters = DeadLetterFile(Path({str(tmp_path / "d.jsonl")!r}), Identity("k", "x"), 20_000, gone.update)
first = int(sys.argv[1])
for number in range(first, first + 100):
    while True:
        try:
            letters.write(ORIGIN, [(frame(number), "x")])
            break
        except BlockingIOError:  # the other one stands still with the lock: as a delivery thread, try again
            continue
print(gone.total())
"""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(first)], stdout=subprocess.PIPE, env=env)
        for first in (1, 101)
    ]
    evicted = sum(int(process.communicate(timeout=60)[0]) for process in running)
    kept = len(list(DeadLetterFile(tmp_path / "d.jsonl", IDENTITY).read()))
    assert evicted > 0
    assert kept + evicted == 200


def test_what_goes_is_counted_by_severity() -> None:
    """The callback gets severity numbers, in memory as on disk."""
    gone: Counter[int] = Counter()
    letters = DeadLetterFile(None, IDENTITY, max_bytes=1000, on_evicted=gone.update)
    for number in range(1, 20):
        letters.write(ORIGIN, [(frame(number), 'a "severity_number":21 in a reason')])
    kept = len(list(letters.read()))
    assert 0 < kept < 19
    assert gone == {9: 19 - kept}


def test_a_descriptor_closed_by_the_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the file's lock is waited for: nothing is written into the application's file, which stays open."""
    own: list[int] = []
    try_lock = letterfile.try_lock

    def busy_at_first(fd: int) -> bool:
        if not own:
            own.append(take_over(fd, tmp_path / "own"))
            return False
        return try_lock(fd)

    monkeypatch.setattr(letterfile, "try_lock", busy_at_first)
    letters = DeadLetterFile(tmp_path / "d.jsonl", IDENTITY)
    with pytest.raises(OSError, match="closed by the application"):
        letters.write(ORIGIN, [(frame(1), "a")])
    assert os.pread(own[0], 100, 0) == b"the application's"
    os.close(own[0])
    letters.write(ORIGIN, [(frame(1), "a")])  # the next attempt
    assert [letter["reason"] for letter in letters.read()] == ["a"]
