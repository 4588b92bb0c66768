"""A model of somebody else: looked at before its weights are fetched, and read without running any of its code.

    found = look("google/bert_uncased_L-2_H-128_A-2")      # or a folder, or a bundled model's name
    found.bytes, found.skeleton()                          # of its weights; the model without numbers
    model = found.load()

Weights are read from .safetensors only, without an account: what needs a login, code of its author, or more than
`MOST` bytes is refused in one line.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from binviz.data import sources
from binviz.errors import UserError, one_line
from binviz.reading import json_of
from binviz.saving.build import _at_most, build, model_class
from binviz.saving.folder import CONFIG, RECIPE, read_tokenizer_files
from binviz.saving.packed import read_metadata
from binviz.saving.start import check_start
from binviz.zoo import describe, load, load_tokenizer, names

#: Bytes of the weights, at most: BERT-large has 1.3 GB, and work on a model takes a few times its size.
MOST = 1_500_000_000
#: Bytes of a configuration, and characters of a name, at most.
MOST_CONFIG, LONGEST = 2**20, 300
#: Parameters, each a tensor, that a configuration may describe.
MOST_TENSORS = 3_000
#: Files beside the weights that are fetched.
FILES = ("config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "vocab*", "merges.txt",
         "special_tokens_map.json", "preprocessor_config.json")  # fmt: skip
#: Files one of which a tokenizer or image processor has.
READERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "preprocessor_config.json",
)
#: That the hub may take to say what a model is.
SECONDS = 15
#: An id, to show how one looks.
EXAMPLE = "google/bert_uncased_L-2_H-128_A-2"


@dataclass(frozen=True)
class Found:
    """A model that may be read.

    source: as it was named. kind: "bundled", "folder" or "hub". bytes: of its weights. config: its configuration.
    revision: commit on the hub. licence: as its page says, "" for nothing. folder: where it lies, None on the hub.
    """

    source: str
    kind: str
    bytes: int
    config: dict[str, Any]
    revision: str = ""
    licence: str = ""
    folder: Path | None = None

    def skeleton(self) -> nn.Module:
        """The model without numbers, on the meta device.

        Raises:
            UserError: a model that binviz does not know, or a configuration that cannot be used.
        """
        _check_class(self.config, self.source)
        with torch.device("meta"), _at_most(MOST_TENSORS):
            return build(self.config, None)

    def load(
        self, tell: Callable[[float, str], object] = lambda share, text: None, keep: bool = True
    ) -> tuple[nn.Module, Any]:
        """The model in float32 and eval mode, and its tokenizer or image processor, None where it has none.

        Args:
            tell: called with what comes next.
            keep: what is fetched from the hub, in the hub's own folder, for the next time.

        Raises:
            UserError: it cannot be fetched or read.
        """
        if self.kind == "bundled":
            try:
                return load(self.source), load_tokenizer(self.source)
            except UserError:
                return load(self.source), None
        if self.folder is not None:
            return self._read(self.folder)
        tell(0.0, f"fetching {self.bytes / 1e6:,.0f} MB")
        if keep:
            return self._read(_fetched(self.source, self.revision))
        with tempfile.TemporaryDirectory() as place:
            return self._read(_fetched(self.source, self.revision, place))

    def _read(self, folder: Path) -> tuple[nn.Module, Any]:
        skeleton = self.skeleton()
        check_start(folder, lambda: build(self.config, None))
        try:
            model = type(skeleton).from_pretrained(  # type: ignore[attr-defined]
                folder, use_safetensors=True, local_files_only=True, dtype=torch.float32
            )
        except Exception as error:  # a damaged file can raise anything
            raise UserError(f"the weights of {self.source} cannot be read: {error}") from error
        if not any((folder / name).exists() for name in READERS):  # transformers would make up an empty one
            return model.eval(), None
        try:
            return model.eval(), read_tokenizer_files(folder, self.source)
        except UserError:
            return model.eval(), None


def look(source: str, *, folders: bool = True, most: int = MOST) -> Found:
    """What a model is, before its weights are touched.

    Args:
        source: a bundled model's name, a hub id, or a folder.
        folders: False where whoever asks must not learn what lies on this machine: only names and ids then.
        most: bytes that its weights may have.

    Raises:
        UserError: there is no such model, or it is refused; see the top.

    >>> found = look("digits-vit.float")
    >>> found.kind, found.config["architectures"], sum(p.numel() for p in found.skeleton().parameters())
    ('bundled', ['ViTForImageClassification'], 136138)
    """
    source = source.strip()
    if not source or len(source) > LONGEST or not source.isprintable():
        raise UserError(f"give the id of a model on the hub, such as {EXAMPLE}")
    if source in names():
        entry = describe(source)
        return _float_only(
            Found(source, "bundled", entry.bytes, read_metadata(entry.path)["config"], licence=entry.licence)
        )
    place = Path(source).expanduser()
    if place.is_absolute() or source.startswith((".", "~")) or "\\" in source:
        if not folders:
            raise UserError(
                "this dashboard is open to others, so no folder of its machine is read; give a hub id"
            )
        if not place.is_dir():
            raise UserError(f"{source} is no folder; give one with config.json and .safetensors, or a hub id")
        return _in_folder(source, place, "folder", most)
    _check_id(source)
    mirrored = sources.mirrored("models", source)
    if mirrored is not None:
        return _in_folder(source, mirrored, "folder", most)
    return _on_hub(source, most)


def _in_folder(source: str, folder: Path, kind: str, most: int) -> Found:
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    _check_size(source, weights, most)
    config = json_of(folder / CONFIG, "a model's configuration", MOST_CONFIG)
    if (folder / RECIPE).exists():
        raise UserError(f"{source} is a 1-bit model already; give the float one that it was made from")
    return _float_only(Found(source, kind, weights, config, folder=folder))


def _on_hub(source: str, most: int) -> Found:
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        about = HfApi(token=False).model_info(source, files_metadata=True, timeout=SECONDS)
    except GatedRepoError as error:
        raise UserError(_login(source)) from error
    except RepositoryNotFoundError as error:
        raise UserError(f"the hub has no model {source} that is open to all; check the id") from error
    except Exception as error:  # of the network, of its absence, of the hub
        raise UserError(
            f"{source} is no bundled model and in no BINVIZ_MIRROR, and the hub does not answer ({_why(error)}); "
            "choose a bundled one, or connect to the network"
        ) from error
    if about.gated or about.private:
        raise UserError(_login(source))
    files = {file.rfilename: file.size or 0 for file in about.siblings or []}
    _check_size(
        source, sum(size for name, size in files.items() if re.fullmatch(r"[^/]+\.safetensors", name)), most
    )
    if not 0 < files.get(CONFIG, 0) <= MOST_CONFIG:
        raise UserError(f"{source} has no {CONFIG}, so nothing says which model it is")
    try:
        place = Path(hf_hub_download(source, CONFIG, revision=about.sha, token=False))
    except Exception as error:
        raise UserError(f"{CONFIG} of {source} cannot be fetched: {_why(error)}") from error
    config = json_of(place, "a model's configuration", MOST_CONFIG)
    licence = str(about.card_data.get("license") or "") if about.card_data else ""
    weights = sum(size for name, size in files.items() if re.fullmatch(r"[^/]+\.safetensors", name))
    return _float_only(Found(source, "hub", weights, config, about.sha or "", licence))


def _fetched(source: str, revision: str, place: str | None = None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                source,
                revision=revision,
                local_dir=place,
                allow_patterns=list(FILES),
                ignore_patterns=["*/*", "*.py"],
                token=False,
            )
        )
    except Exception as error:
        raise UserError(f"{source} cannot be fetched: {_why(error)}") from error


def _float_only(found: Found) -> Found:
    if not isinstance(found.config, dict):
        raise UserError(f"the configuration of {found.source} is no configuration of a model")
    _check_class(found.config, found.source)
    return found


def _check_class(config: dict[str, Any], source: str) -> None:
    """Refuse what is not of a known class, and say so where its author's code would be needed."""
    architectures = config.get("architectures")
    name = architectures[0] if isinstance(architectures, list) and architectures else ""
    try:
        model_class(str(name))
    except UserError as error:
        if "auto_map" in config:
            raise UserError(
                f"{source} needs code of its author, and no code of others is run here"
            ) from error
        raise


def _check_id(source: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(source)
    except HFValidationError as error:
        raise UserError(
            f"{source} is no id of a model on the hub; one looks like google/bert_uncased_L-2_H-128_A-2"
        ) from error


def _check_size(source: str, weights: int, most: int) -> None:
    if not weights:
        raise UserError(
            f"{source} has no .safetensors file, and no other weights are read: a pickle can run code"
        )
    if weights > most:
        raise UserError(
            f"the weights of {source} are {weights / 1e9:.1f} GB; here {most / 1e9:.1f} GB are the most"
        )


def _login(source: str) -> str:
    return f"{source} needs a login at the hub, and none is used here; fetch it yourself, and give its folder"


def _why(error: Exception) -> str:
    return one_line(str(error).strip().partition("\n")[0] or type(error).__name__, 120)
