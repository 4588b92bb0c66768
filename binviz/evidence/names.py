"""What a run is called by people: from its settings, never from how its cell is spelled if that can be helped."""

from __future__ import annotations

import re
from collections.abc import Iterable

from binviz.evidence import runs
from binviz.evidence.headline import split_of
from binviz.evidence.runs import Run

#: A recipe whose name begins so -> the method; the longest beginning counts.
METHODS = {
    "float": "float model",
    "bit-w1a1": "BiT",
    "bit-w1a2": "BiT with 2-bit activations",
    "bit-w1a4": "BiT with 4-bit activations",
    "bit-w1a32": "BiT's weights with float activations",
    "bibert": "BiBERT",
    "bivit-w1a1": "BiViT",
    "bivit-mixed": "BiViT's attention",
    "bipft": "BiPFT",
    "planes-w1a1": "bit planes before BiT",
    "bnn": "plain signs",
    "xnor": "XNOR-Net",
    "xnorpp": "XNOR-Net++",
    "dorefa": "DoReFa",
    "bireal": "Bi-Real",
    "reactnet": "ReActNet",
    "ir-net": "IR-Net",
    "rbonn": "RBONN",
    "rbonn-official": "RBONN, official channels",
    "rbonn-none": "RBONN without the step back",
    "rbonn-signs": "RBONN's weights before plain signs",
    "bidense": "BiDense",
    "recu": "ReCU",
    "fda": "FDA",
    "db-llm": "DB-LLM",
    "db-llm-g64": "DB-LLM, groups of 64",
    "ternary": "ternary weights",
    "bwta": "BWTA",
    "bit-w1a1-four": "BiT with four signed values",
    "sign-weights": "1-bit weights",
    "signs": "networks of signs",
    "binarydm-w1a8": "BinaryDM",
    "binarydm-w1a4": "BinaryDM with 4-bit activations",
    "binarydm-plain": "plain signs with 8-bit activations",
    "binarydm-one-basis": "BinaryDM with one set of signs",
}
TASKS = {
    "sst2": "SST-2", "cola": "CoLA", "mrpc": "MRPC", "rte": "RTE", "stsb": "STS-B",
    "digits": "digits", "cifar10": "CIFAR-10", "speech": "spoken digits", "speech-unheard": "unheard speaker",
    "points": "generated solids", "scene-text": "text in scenes", "mlm": "words in gaps",
    "camvid": "CamVid", "camvid-boundaries": "CamVid with boundaries",
    "tumours": "tumours", "tumours-3": "tumours by three signs",
    "novels": "novels", "wikitext": "wikitext-2",
    "digits-diffusion": "noisy digits", "cifar10-diffusion": "noisy CIFAR-10, 16 pixels",
}  # fmt: skip
#: Number of a paper on arXiv -> what it is called after.
PAPERS = {
    "1808.00278": "Bi-Real Net",
    "2202.10304": "DBNet++",
    "2203.06390": "BiBERT",
    "2205.13016": "BiT",
    "2207.02970": "CMIM",
    "2209.01542": "RBONN",
    "2211.07091": "BiViT",
    "2301.11233": "BiBench",
    "2312.08937": "BiPFT",
    "2310.15128": "QP-SBGD",
    "2402.11960": "DB-LLM",
    "2404.05662": "BinaryDM",
    "2405.14136": "Bi-MTDP",
    "2411.10346": "BiDense",
    "2604.03957": "BWTA",
}
ARCHITECTURES = {
    "vit": "ViT",
    "cnn": "CNN",
    "minilm": "MiniLM",
    "swin": "Swin",
    "pointnet": "PointNet",
    "mixer": "MLP-Mixer",
    "resnet": "ResNet",
    "birealnet": "Bi-Real Net",
    "mlp": "MLP",
    "unet": "U-Net",
    "bypassunet": "U-Net with bypasses",
    "dbnet": "DBNet",
    "dbnet-spatial": "DBNet with spatial fusion",
    "dbnet-channel-spatial": "DBNet with fusion by channels and places",
}


def method(recipe: str, variant: bool = True) -> str:
    """What a recipe is called, with what its name has beside that.

    Args:
        recipe: its name.
        variant: whether to say what is special about it.

    >>> method("bit-w1a1"), method("bivit-w1a1-edge-passes"), method("bit-w1a1-gelu", variant=False), method("my-own")
    ('BiT', 'BiViT (edge passes)', 'BiT', 'my-own')
    """
    known = [name for name in METHODS if recipe == name or recipe.startswith(f"{name}-")]
    if not known:
        return recipe
    longest = max(known, key=len)
    rest = recipe[len(longest) + 1 :].replace("-", " ")
    return METHODS[longest] + (f" ({rest})" if rest and variant else "")


def paper(source: str) -> str:
    """Whose claim it is, from where it stands.

    >>> paper("2205.13016, method"), paper("asked here"), paper("9999.00001, table 1")
    ('BiT', 'asked here', '9999.00001')
    """
    number = source.partition(",")[0]
    return PAPERS.get(number, number)


def task_name(run: Run) -> str:
    """The task of a run, as commands name it.

    >>> from binviz.evidence import runs
    >>> task_name(runs.find("bit", "cola.float")), task_name(runs.find("digits", "digits-vit-16.float"))
    ('cola', 'digits')
    """
    identity, split = run.config.get("identity", {}), split_of(run)
    return split.task if split else identity.get("task") or run.config.get("task") or run.cell.split(".")[0]


def task(run: Run) -> str:
    """The task of a run, with the architecture where it is not the usual one.

    >>> from binviz.evidence import runs
    >>> task(runs.find("bit", "cola.float")), task(runs.find("digits", "digits-vit-16.float"))
    ('CoLA', 'digits, ViT 16 wide')
    """
    name = task_name(run)
    return ", ".join(filter(None, (TASKS.get(name, name), network_title(architecture(run)))))


def architecture(run: Run) -> str:
    """The architecture of a run as commands name it, "" where it is its task's usual one.

    >>> from binviz.evidence import runs
    >>> architecture(runs.find("bit", "cola.float")), architecture(runs.find("digits", "digits-vit-16.float"))
    ('', 'vit-16')
    """
    name = run.config.get("arch") or run.config.get("identity", {}).get("architecture") or ""
    wide = re.fullmatch(r".*-(\d+)", run.cell.split(".")[0])
    return f"{name}-{wide[1]}" if wide else name


def network_title(architecture: str) -> str:
    """An architecture for a person.

    >>> network_title("vit-16"), network_title("cnn"), network_title("")
    ('ViT 16 wide', 'CNN', '')
    """
    kind, _, width = architecture.partition("-")
    if kind in ARCHITECTURES and width.isdigit():
        return f"{ARCHITECTURES[kind]} {width} wide"
    return ARCHITECTURES.get(architecture, architecture)


def what(run: Run) -> str:
    """What was done in a run, without its task.

    >>> from binviz.evidence import runs
    >>> what(runs.find("bit", "sst2.bit-w1a1.fixed")), what(runs.find("digits", "digits-vit.float+bit-w1a1"))
    ('BiT: scales stay where they start, shifts at zero', 'BiT after a float model')
    >>> what(runs.find("lengths", "sst2.bit-w1a1.attention-0.7"))
    "BiT in one step from the float model, attention's scale times 0.7"
    """
    config = run.config
    if "attention_scale_times" in config:
        looked_at = next(runs.runs(cell=config["model"], experiment="bit"), None)
        name = what(looked_at) if looked_at else config["model"]
        return f"{name}, attention's scale times {config['attention_scale_times']:g}"
    if why := config.get("why"):
        recipe = config.get("identity", {}).get("recipe", "float")
        name = method(recipe if isinstance(recipe, str) else recipe["name"], variant=False)
        return why if re.search(rf"\b{re.escape(name.split()[0])}\b", why) else f"{name}: {why}"
    if stages := config.get("stages"):
        # What the cell's name has behind the stages is all that tells some runs apart
        behind = run.cell.partition(".")[2].removeprefix("+".join(stages)).strip(".").replace("-", " ")
        *before, last = map(method, stages)
        chain = f"{last} after " + ", then ".join(f"a {each}" for each in before) if before else last
        return chain + (f" ({behind})" if behind and behind not in chain else "")
    return " ".join(run.cell.split(".")[1:]) or run.cell


def network(run: Run) -> str:
    """Whether a run made a "float" network or a "1-bit" one.

    >>> from binviz.evidence import runs
    >>> [network(runs.find("bit", cell)) for cell in ("sst2.float", "cola.float", "sst2.bit-w1a1")]
    ['float', 'float', '1-bit']
    """
    recipe = run.config.get("identity", {}).get("recipe")
    last = recipe or (run.config.get("stages") or [""])[-1]
    return "float" if last == "float" else "1-bit"


def long(run: Run) -> str:
    """Task, what was done, seed.

    >>> from binviz.evidence import runs
    >>> long(runs.find("bit", "sst2.bit-w1a1", 1))
    'SST-2: BiT in one step from the float model, seed 1'
    """
    return f"{task(run)}: {what(run)}" + (f", seed {run.seed}" if run.seed else "")


def named(found: Iterable[Run]) -> dict[str, Run]:
    """Long name -> run. Runs of one name are told apart by their experiment, then by their cell.

    >>> from binviz.evidence import runs
    >>> run = Run("own", "net.bnn", 0, {}, "", {}, {}, 1.0)
    >>> list(named([run, run]))
    ['net: bnn', 'net: bnn (experiment own)']
    """
    names: dict[str, Run] = {}
    for run in found:
        name = long(run)
        for more in ("", f" (experiment {run.experiment})", f" (cell {run.cell})"):
            if f"{name}{more}" not in names:
                names[f"{name}{more}"] = run
                break
    return names


def short(found: Iterable[Run]) -> list[str]:
    """The shortest names that tell some runs apart, for columns and legends.

    >>> from binviz.evidence import runs
    >>> short([runs.find("bit", "sst2.bit-w1a1"), runs.find("bit", "sst2.bit-w1a1.fixed")])
    ['BiT in one step from the float model', 'BiT: scales stay where they start']
    >>> short([runs.find("bit", "sst2.bit-w1a1", seed) for seed in (0, 1)])
    ['BiT in one step from the float model, seed 0', 'BiT in one step from the float model, seed 1']
    """
    shown = list(found)
    ways = (
        # Up to the first comma outside braces, or a remark behind a colon that is not the method's
        [re.split(r",\s(?![^{]*\})|(?<=.{20}):\s", what(run))[0] for run in shown],
        [what(run) for run in shown],
        [f"{what(run)}, seed {run.seed}" for run in shown],
        [f"{task(run)}: {what(run)}" for run in shown],
        list(named(shown)),
    )
    return next((names for names in ways if len(set(names)) == len(shown)), ways[-1])
