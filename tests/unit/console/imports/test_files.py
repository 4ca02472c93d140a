"""Files as spreadsheets of all kinds write them."""

import pytest

from console.errors import InvalidError
from console.imports.files import read_table

ROWS = [["Name", "Größe"], ["Ann", "1"], ["Bob, jr.", "2"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_usual_encoding_and_delimiter_is_read(tmp_path, encoding, delimiter):
    path = tmp_path / "x.csv"
    lines = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in ROWS)
    path.write_bytes(lines.encode(encoding))
    table = read_table(path)
    assert [table.headings, *(cells for _, cells in table.rows)] == ROWS


def test_lines_are_counted_through_line_breaks_within_cells_and_blank_rows(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('a,b\n"1\n2",x\n,\n\n3,y\n')
    assert [line for line, _ in read_table(path).rows] == [2, 6]


def test_a_file_without_rows_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n")
    with pytest.raises(InvalidError, match="no rows"):
        read_table(path)
