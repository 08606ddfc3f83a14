"""What becomes of records when a JSONL file cannot be written, is moved or is replaced."""

from __future__ import annotations

from tests.proof.row import LETTER, STORED, WAITS, rows

__all__ = ["ROWS"]

ROWS = rows(
    "JSONL",
    "jsonl",
    {
        "test_answers.py::test_a_full_disk": (
            (
                "disk_full",
                "the disk is full",
                WAITS,
                "No space left on device",
                "free disk space",
            ),
        ),
        "test_answers.py::test_records_wait": (
            (
                "size_limit",
                "the file reaches the process's limit on the size of files",
                WAITS,
                "File too large",
                "raise the limit (`ulimit -f`, `LimitFSIZE=`), or rotate with `max_bytes` below it",
            ),
            (
                "folder_in_place",
                "a folder has the file's name",
                WAITS,
                "Is a directory",
                "move the folder away",
            ),
            (
                "link_in_place",
                "a symbolic link has the file's name",
                WAITS,
                "Too many levels of symbolic links",
                "give the handler the path that the link leads to",
            ),
            (
                "pipe_in_place",
                "a pipe or a device has the file's name",
                WAITS,
                "not a regular file",
                "move it away",
            ),
            (
                "folder_closed",
                "the folder may not be entered",
                WAITS,
                "Permission denied",
                "give the right back",
            ),
            (
                "folder_read_only",
                "the folder may not be written to, and the file is not there",
                WAITS,
                "Permission denied",
                "give the right back, or make the file",
            ),
            (
                "folder_is_file",
                "a file has the folder's name",
                WAITS,
                "Not a directory",
                "move the file away",
            ),
        ),
        "test_answers.py::test_records_are_stored_all_the_same": (
            ("rotated", "another program renames the file", STORED, "", "nothing: a new file is made"),
            (
                "rotated_new",
                "another program renames the file and makes a new one",
                STORED,
                "",
                "nothing: the new file is used",
            ),
            (
                "truncated",
                "another program truncates the file (`copytruncate`)",
                STORED,
                "",
                "nothing; rename files instead, so that no line is lost between its copy and the cut",
            ),
            ("deleted", "the file is deleted", STORED, "", "nothing: a new file is made; its lines are gone"),
            (
                "folder_deleted",
                "the folder is deleted",
                STORED,
                "",
                "nothing: both are made; the lines are gone",
            ),
            (
                "read_only_rotation",
                "the folder may not be written to, and rotation is due",
                STORED,
                "",
                "give the right back: the file grows beyond `max_bytes` until then",
            ),
        ),
        "test_answers.py::test_a_record_that_the_formatter_refuses": (
            (
                "formatter",
                "your formatter raises for a record",
                LETTER,
                "cannot be rendered",
                "correct the formatter, then `replay`",
            ),
        ),
    },
)
