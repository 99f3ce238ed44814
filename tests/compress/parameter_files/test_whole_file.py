"""Files that appear whole or not at all."""

import pytest

from compress.disk.whole_file import write_whole
from compress.errors import RunError


@pytest.mark.parametrize(
    ("content", "written"), [("größer\n", b"gr\xc3\xb6\xc3\x9fer\n"), (b"\x00\xff\r\n", b"\x00\xff\r\n")]
)
def test_text_is_written_in_utf_8_and_bytes_as_they_are(tmp_path, content, written):
    path = tmp_path / "file"
    path.write_bytes(b"what was there before")
    write_whole(path, content)
    assert path.read_bytes() == written
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "missing" / "file"
    with pytest.raises(RunError, match=f"'{path}' cannot be written \\(No such file or directory\\)"):
        write_whole(path, "text")
