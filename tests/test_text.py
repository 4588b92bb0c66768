"""Text is UTF-8 on every system: whoever reads or writes it says so, and a locale without it changes nothing."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from binviz.errors import LONGEST, UserError, one_line, printable

ROOT = Path(__file__).parents[1]
SOURCES = [
    path for folder in ("binviz", "kernels", "dashboard", "notebooks", "docs") for path in (ROOT / folder).rglob("*.py")
]  # fmt: skip
#: name of what reads or writes text -> the place among its arguments where the encoding may stand
TEXT = {"read_text": 0, "write_text": 1, "open": 3, "fdopen": 3, "TextIOWrapper": 1, "NamedTemporaryFile": 2}
#: and those that give bytes unless they are asked for text
PROCESSES = ("run", "Popen", "check_output", "check_call", "call")
OTHER_OPENS = ("Image", "os", "webbrowser", "tarfile", "zipfile")


def silent(call: ast.Call) -> bool:
    """Whether a call reads or writes text and leaves the encoding to the system."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in named:
        return False
    if name in PROCESSES:
        return bool({"text", "universal_newlines"} & set(named))
    if name not in TEXT:
        return False
    owner = getattr(getattr(function, "value", None), "id", None)
    if name == "open" and owner in OTHER_OPENS:
        return False
    path_open = name == "open" and isinstance(function, ast.Attribute)
    mode = named.get("mode") or next(iter(call.args[0 if path_open else 1 :]), None)
    if name in ("open", "fdopen", "NamedTemporaryFile") and "b" in str(getattr(mode, "value", "")):
        return False
    if name == "NamedTemporaryFile" and mode is None:
        return False
    return len(call.args) <= TEXT[name] - path_open


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("path.read_text()", True), ("path.read_text('utf-8')", False), ("path.write_text(text)", True),
        ("path.write_text(text, encoding='utf-8')", False), ("open(path)", True), ("open(path, 'rb')", False),
        ("path.open('r+b')", False), ("path.open('w')", True), ("open(path, 'w', 1, 'utf-8')", False),
        ("subprocess.run(c, text=True)", True), ("subprocess.run(c)", False), ("Image.open(file)", False),
    ],
)  # fmt: skip
def test_what_leaves_the_encoding_to_the_system_is_found(code, wrong):
    assert silent(ast.parse(code).body[0].value) is wrong


def test_every_text_file_and_process_names_its_encoding():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for text in [path.read_text("utf-8")]
        if any(f"{name}(" in text for name in (*TEXT, *PROCESSES))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and silent(node)
    ]
    assert len(SOURCES) > 100 and found == []


PROGRAM = """
import sys, locale
from pathlib import Path
import torch, transformers, binviz
from binviz.evidence import runs

folder = Path(sys.argv[1])
pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "é", "日", "##α"]
tokenizer = transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, do_lower_case=False)
sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
model = transformers.BertModel(transformers.BertConfig(**sizes, vocab_size=8, max_position_embeddings=16)).eval()
model.config.id2label = {0: "schön"}
binviz.binarize_(model, "bit-w1a1")
binviz.save_packed(model, folder / "a.safetensors", tokenizer)
binviz.save(model, folder / "whole", tokenizer)
for name in (folder / "a.safetensors", folder / "whole"):
    assert binviz.load(name).config.id2label[0] == "schön"
    found = binviz.load_tokenizer(name)
    assert found("é 日 éα")["input_ids"][1:-1] == [5, 6, 5, 7]
run = runs.Run("e", "c", 0, {"α": "ü"}, "é", {}, {}, 1.0)
assert runs.read(runs.write(run, folder)) == run
try:
    runs.write(runs.Run("é", "c", 0, {}, "", {}, {}, 1.0), folder)
except binviz.UserError as error:
    assert "cannot write" in str(error)
print(ascii(locale.getpreferredencoding(False)))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the locale of a process is set otherwise there")
def test_files_are_the_same_in_a_locale_without_utf_8(tmp_path):
    if not f"{torch.__file__}{tmp_path}".isascii():
        pytest.skip("torch itself is not imported from such a path in that locale")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, "utf-8")
    settings = {
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "LC_ALL": "C",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, program, tmp_path],
        env=os.environ | settings,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 0, done.stderr
    assert "utf" not in done.stdout.lower()


@pytest.mark.parametrize(
    "text", ["a\nb", "\x1b[31m\x07", "\u202eabc", "\ud800", "a" * 10**6, "\0" * 10**5, "", ValueError("\r\v")]
)
def test_an_error_is_one_printable_line(text):
    line = str(UserError(text))
    assert line.isprintable() and len(line) <= LONGEST and line == one_line(text)
    line.encode()


def test_a_long_line_keeps_what_to_do():
    assert str(UserError("x" * 10_000 + "; choose another")).endswith("; choose another")
    assert printable("α\n\t") == "α\n\\t"
