"""Texts to pre-train on, from files and data sets, and their tokens in a memory-mapped file."""

import json
import logging
import subprocess
import sys

import datasets
import numpy as np
import pytest
from transformers import BertTokenizer

from binviz.data import corpus, tokens
from binviz.data.corpus import open_corpus
from binviz.data.tokens import tokens_of
from binviz.errors import UserError

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##a", "##b"]


def tokenizer(**options):
    return BertTokenizer(vocab={piece: i for i, piece in enumerate(PIECES)}, **options)


def write(folder, content, name="text.txt"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_lines_are_documents(tmp_path):
    name = write(tmp_path, b"a b\n\n  \nb\r\na a")
    found = open_corpus(name)
    assert list(found.documents()) == ["a b", "b", "a a"] == list(found.documents())
    assert found.count == 3


def test_several_files(tmp_path):
    for name in ("1.txt", "2.txt", "3.md"):
        write(tmp_path, name.encode(), name)
    assert list(open_corpus(str(tmp_path)).documents()) == ["1.txt", "2.txt"]
    assert list(open_corpus(f"{tmp_path}/3.md, {tmp_path}/[12]*").documents()) == ["3.md", "1.txt", "2.txt"]


def test_a_data_set(tmp_path, monkeypatch):
    place = tmp_path / "datasets/some/texts/small"
    place.mkdir(parents=True)
    table = datasets.Dataset.from_dict({"text": ["a b", "", " b \n"], "number": [1, 2, 3]})
    table.to_parquet(place / "train-00000-of-00001.parquet")
    monkeypatch.setenv("BINVIZ_MIRROR", str(tmp_path))
    assert list(open_corpus("some/texts", "small").documents()) == ["a b", "b"]
    with pytest.raises(UserError, match="has no column 'body'; it has: text, number"):
        open_corpus("some/texts", "small", column="body")
    with pytest.raises(UserError, match="holds no texts"):
        open_corpus("some/texts", "small", column="number")


@pytest.mark.parametrize("character", ["a", "é", "✓", "😀"])
@pytest.mark.parametrize("blanks", [True, False])
def test_a_line_of_any_length_is_read_in_pieces(tmp_path, monkeypatch, character, blanks):
    """Nothing is lost, no character is cut, and no piece is longer than twice the bound."""
    monkeypatch.setattr(corpus, "LONGEST", 128)
    text = "".join(character * (i % 23 + 1) + " " * blanks for i in range(400))
    path = tmp_path / "line.txt"
    path.write_text(text, "utf-8")
    pieces = list(corpus.pieces_of(path))
    assert b"".join(pieces).decode() == text and max(map(len, pieces)) <= 256
    documents = list(open_corpus(str(path)).documents())
    if blanks:
        assert " ".join(documents).split() == text.split()
    else:
        assert "".join(documents) == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is no text in"),
        (b" \n\n\t\n", "there is no text in"),
        (b"a b\n\x00\x01\n", "is no text: it has zero bytes"),
        ("a b\n".encode("utf-16"), "is no text: it has zero bytes"),
        (b"\xff\xfe\xfa\n\xe9\xe8\nb\n", r"is no text in UTF-8 \(2 of 3 lines\)"),
    ],
    ids=["empty", "blank", "binary", "utf-16", "latin-1"],
)
def test_what_is_no_text(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        open_corpus(write(tmp_path, content))


def test_no_such_file(tmp_path):
    for name in (f"{tmp_path}/none.txt", f"{tmp_path}/*.md", str(tmp_path), f"{tmp_path}/a,{tmp_path}/b"):
        with pytest.raises(UserError, match="there is no text file"):
            open_corpus(name)


def test_lines_that_are_not_utf8_are_left_out_and_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = open_corpus(write(tmp_path, b"a\n\xff\nb\n"))
    assert list(found.documents()) == ["a", "b"]
    assert "1 of 3 lines are not UTF-8 and are left out" in caplog.text


# Tokens.


def made(folder, content=b"ab a\n\nb\n", **options):
    return tokens_of(open_corpus(write(folder, content)), tokenizer(**options), folder / "tokens")


def test_tokens_are_those_of_each_document_and_a_separator(tmp_path):
    found = made(tmp_path)
    assert found.tolist() == [5, 8, 5, 3, 6, 3]
    assert found.dtype == np.uint16 and isinstance(found, np.memmap) and not found.flags.writeable


def test_many_pieces_take_four_bytes(tmp_path):
    vocabulary = {piece: i for i, piece in enumerate(PIECES)} | {f"w{i}": i + 9 for i in range(2**16)}
    wide = BertTokenizer(vocab=vocabulary)
    found = tokens_of(open_corpus(write(tmp_path, b"w65535 a")), wide, tmp_path / "tokens")
    assert found.dtype == np.uint32 and found.tolist() == [65544, 5, 3]


def test_tokens_are_made_once(tmp_path):
    wanted = made(tmp_path).tolist()
    (tmp_path / "tokens/tokens.npy").chmod(0o444)
    before = (tmp_path / "tokens/tokens.npy").stat().st_mtime_ns
    assert made(tmp_path).tolist() == wanted
    assert (tmp_path / "tokens/tokens.npy").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"b a\n\nb\n", {}, "made from another text than those of"),
        (b"ab a\n\nb\n", {"do_lower_case": False}, "made by another tokenizer than those of"),
    ],
    ids=["text", "tokenizer"],
)
def test_tokens_of_other_settings_are_refused(tmp_path, content, options, message):
    made(tmp_path)
    with pytest.raises(UserError, match=message):
        made(tmp_path, content, **options)


def test_writing_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    """The tokeniser is asked for no document twice that was noted, and the file is what it would have been."""
    content = b"".join(b"a" * (i % 7 + 1) + b"\n" for i in range(60))
    wanted = made(tmp_path / "whole", content).tolist()
    monkeypatch.setattr(tokens, "MOST", 20)
    monkeypatch.setattr(tokens, "SAVE_EVERY", 10)
    asked = []

    class Dies:
        def __init__(self, after):
            self.inner, self.left = tokenizer(), after

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def __len__(self):
            return len(self.inner)

        def __call__(self, batch, **options):
            asked.extend(batch)
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return self.inner(batch, **options)

    text = open_corpus(write(tmp_path / "cut", content))
    for after in (5, 3):
        with pytest.raises(KeyboardInterrupt):
            tokens_of(text, Dies(after), tmp_path / "cut/tokens")
        noted = json.loads((tmp_path / "cut/tokens/tokens.json").read_text())
        assert not noted["finished"] and 0 < noted["done"] < 60
    del asked[:]
    found = tokens_of(text, Dies(10**6), tmp_path / "cut/tokens")
    assert found.tolist() == wanted and len(asked) == 60 - noted["done"]


def test_a_file_that_was_lost_or_cut(tmp_path):
    made(tmp_path)
    place = tmp_path / "tokens/tokens.npy"
    place.write_bytes(place.read_bytes()[:-2])
    with pytest.raises(UserError, match="is damaged"):
        made(tmp_path)
    (tmp_path / "tokens/tokens.json").write_text("{}")
    with pytest.raises(UserError, match="is not a description of tokens"):
        made(tmp_path)


MAKES = """
import sys
from pathlib import Path
from transformers import BertTokenizer
from binviz.data.corpus import open_corpus
from binviz.data.tokens import tokens_of

folder, *pieces = sys.argv[1:]
tokenizer = BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
print(*tokens_of(open_corpus(f"{folder}/text.txt"), tokenizer, Path(folder, "tokens")))
"""


@pytest.mark.slow
def test_several_processes_make_one_file(tmp_path):
    write(tmp_path, b"ab a\nb\n" * 3000)
    command = [sys.executable, "-c", MAKES, str(tmp_path)]
    started = [
        subprocess.Popen([*command, *PIECES], stdout=subprocess.PIPE, encoding="utf-8") for _ in range(2)
    ]
    made = [process.communicate(timeout=120)[0].split() for process in started]
    assert made == [["5", "8", "5", "3", "6", "3"] * 3000] * 2
