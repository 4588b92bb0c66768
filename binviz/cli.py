"""The command `binviz`. A person's mistake is answered with one line; anything else is a bug with a trace."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from binviz.errors import UserError, one_line, printable

if TYPE_CHECKING:
    from binviz.evidence.runs import Run

app = typer.Typer(no_args_is_help=True)
train_app = typer.Typer(
    no_args_is_help=True, help="Train a chain of stages, such as float,bit-w1a2,bit-w1a1."
)
app.add_typer(train_app, name="train")

Out = Annotated[
    Path, typer.Option(help="Folder for models and run records; the same command goes on from here.")
]
Stages = Annotated[str, typer.Option(help="'float' and names of recipes, separated by commas.")]


def _result(run: Run) -> str:
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in run.metrics.items())
    return f"{metrics} ({run.seconds / 60:.1f} min)"


def _say(runs: dict[str, Run], out: Path) -> None:
    for stage, run in runs.items():
        typer.echo(f"{stage}: {_result(run)}")
    typer.echo(f"models and records are in {out}")


def _say_version(wanted: bool) -> None:
    if wanted:
        import binviz

        typer.echo(f"binviz {binviz.__version__}")
        raise typer.Exit


@app.callback()
def command(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Binarized transformers: see, train and run them."""


@app.command("app")
def dashboard(
    port: Annotated[int | None, typer.Option(help="Port on this machine; a free one if not given.")] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    address: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets the whole network in.")
    ] = "localhost",
    own: Annotated[
        Path | None,
        typer.Option("--runs", help="Also show the run records of this folder, such as runs-out."),
    ] = None,
) -> None:
    """Open the dashboard in the browser, on this machine only if no other address is given."""
    from binviz_dashboard.launch import run

    run(port=port, browser=browser, address=address, own=own)


@app.command("list")
def list_everything(
    records: Annotated[
        Path | None, typer.Option("--out", help="Also list the run records of this folder.")
    ] = None,
) -> None:
    """List bundled models, recipes, binarizers and recorded runs."""
    from binviz import binarizers, recipes, zoo
    from binviz.evidence import runs
    from binviz.evidence.headline import headline

    typer.echo("models (what the recorded run reached, size of the file)")
    for name in zoo.names():
        entry = zoo.describe(name)
        result = headline(entry.record) if entry.record else None
        reached = f"{result.name} {result.shown}" if result else ""
        typer.echo(f"  {name:34} {reached:20} {entry.bytes / 1e6:8.3f} MB")
    typer.echo("recipes\n  " + " ".join(recipes.names()))
    typer.echo("binarizers\n  " + " ".join(binarizers.names()))
    typer.echo("recorded runs")
    for run in runs.runs(records and records / "runs"):
        typer.echo(f"  {run.experiment}/{run.cell} seed {run.seed}: {_result(run)}")


@train_app.command("images")
def train_images(
    context: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(help="A TOML file, or bivit-swin-t-imagenet; options given here go before it."),
    ] = None,
    arch: Annotated[
        str,
        typer.Option(
            help="vit, cnn, mixer, resnet or birealnet; on other data sets also swin, or a checkpoint."
        ),
    ] = "vit",
    stages: Stages = "float,bit-w1a1",
    dataset: Annotated[
        str, typer.Option(help="digits, a hub id such as uoft-cs/cifar10, or a folder of pictures.")
    ] = "digits",
    size: Annotated[int, typer.Option(min=0, help="Scale pictures to this many pixels; 0 does not.")] = 0,
    width: Annotated[int, typer.Option(min=0, help="Of the hidden states; 0 is the usual one.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Of the float stage.")] = 2500,
    lr: Annotated[float, typer.Option(help="Of the float stage.")] = 1e-3,
    binary_steps: Annotated[int, typer.Option(min=1, help="Of every binary stage.")] = 2500,
    binary_lr: Annotated[float, typer.Option(help="Of every binary stage.")] = 5e-3,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 64,
    hidden_weight: Annotated[float, typer.Option(help="Of the hidden states in distillation.")] = 1.0,
    label_weight: Annotated[float, typer.Option(help="Of the labels in the binary stages.")] = 1.0,
    mix: Annotated[str, typer.Option(help="mixup or cutmix.")] = "",
    precision: Annotated[str, typer.Option(help="bf16 or no.")] = "no",
    seed: int = 0,
    out: Out = Path("runs-out"),
) -> None:
    """Train and binarize models on pictures; scikit-learn's digits need no network."""
    from binviz.training import configs, images

    names = {f.name for f in fields(images.ImagesConfig)}
    values = {key: value for key, value in locals().items() if key in names} | {"stages": _split(stages)}
    if config is not None:
        given = _given(context, values)
        values |= {key: value for key, value in configs.read_images(config).items() if key not in given}
    _say(images.train(images.ImagesConfig(**values), out), out)


def _given(context: typer.Context, names: Iterable[str]) -> set[str]:
    """Which of these options are on the command line."""
    sources = {name: context.get_parameter_source(name) for name in names}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}


@train_app.command("glue")
def train_glue(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="sst2, cola, mrpc, rte, stsb, ...")] = "sst2",
    config: Annotated[
        str | None, typer.Option(help="A TOML file, or bit-bert-base; options given here go before it.")
    ] = None,
    stages: Stages = "float,bit-w1a1",
    start: Annotated[str | None, typer.Option(help="Hub id, folder, or bundled model to start from.")] = None,
    epochs: Annotated[float, typer.Option(help="Of the float stage.")] = 3.0,
    lr: Annotated[float, typer.Option(help="Of the float stage.")] = 8e-5,
    binary_steps: Annotated[int, typer.Option(min=1, help="Of every binary stage.")] = 2000,
    binary_lr: Annotated[float, typer.Option(help="Of every binary stage.")] = 2e-4,
    batch_size: Annotated[int, typer.Option(min=1, help="Of every process.")] = 32,
    distillation: Annotated[
        str, typer.Option(help="Loss of the binary stages: bit, bibert or labels.")
    ] = "bit",
    pieces: Annotated[int, typer.Option(help="Cut the word-piece table to this size; 0 leaves it.")] = 0,
    positions: Annotated[int, typer.Option(help="Cut the position table; 0 leaves it.")] = 0,
    precision: Annotated[str, typer.Option(help="bf16 or no.")] = "bf16",
    seed: int = 0,
    out: Out = Path("runs-out"),
) -> None:
    """Fine-tune and binarize a BERT-family model on a GLUE task (data from BINVIZ_MIRROR or the hub)."""
    from binviz.training import configs, glue

    names = {f.name for f in fields(glue.GlueConfig)}
    values = {key: value for key, value in locals().items() if key in names}
    values |= {"stages": _split(stages), "start": start or glue.START}
    if config is not None:
        given = _given(context, values)
        from_file = configs.read(config, task)
        if "binary_steps" in given:
            from_file.pop("binary_epochs", None)
        values |= {key: value for key, value in from_file.items() if key not in given}
    _say(glue.train(glue.GlueConfig(**values), out), out)


@app.command()
def pretrain(
    context: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(help="A TOML file, bipft-minilm or bipft-bert-base; options given here go before it."),
    ] = None,
    text: Annotated[
        str, typer.Option(help="Hub id of a data set; or files, folders of .txt files and patterns.")
    ] = "",
    subset: Annotated[str, typer.Option(help="Of a data set.")] = "",
    held_out: Annotated[
        str, typer.Option(help="Split or files to be judged on; '' holds out the last 2 % of the text.")
    ] = "",
    stages: Stages = "float,bipft-a",
    start: Annotated[str | None, typer.Option(help="Hub id or folder of an encoder to start from.")] = None,
    length: Annotated[int, typer.Option(help="Tokens of a sequence.")] = 64,
    next_sentence: Annotated[bool, typer.Option(help="Also ask which half follows which.")] = False,
    pieces: Annotated[int, typer.Option(help="Cut the word-piece table to this size; 0 leaves it.")] = 11_000,
    positions: Annotated[int, typer.Option(help="Cut the position table; 0 leaves it.")] = 256,
    float_steps: Annotated[int, typer.Option(help="Of the float stage.")] = 1000,
    lr: Annotated[float, typer.Option(help="Of the float stage.")] = 2e-4,
    steps: Annotated[int, typer.Option(help="Of every binary stage.")] = 5000,
    binary_lr: Annotated[float, typer.Option(help="Of every binary stage.")] = 5e-4,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences a step, of every process.")] = 32,
    precision: Annotated[str, typer.Option(help="bf16 or no.")] = "no",
    seed: int = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for the tokens of the text.")] = None,
    out: Out = Path("runs-out"),
) -> None:
    """Pre-train a binary encoder on text by masked language modelling, distilled from its float self."""
    from binviz.training import configs
    from binviz.training import pretrain as pretraining

    names = {f.name for f in fields(pretraining.PretrainConfig)}
    values = {key: value for key, value in locals().items() if key in names}
    values |= {"stages": _split(stages), "start": start or pretraining.START}
    if config is not None:
        given = _given(context, values)
        values |= {key: value for key, value in configs.read_pretrain(config).items() if key not in given}
    if not values["text"]:
        raise UserError("say what to learn from: --text with a hub id or files, or --config bipft-minilm")
    _say(pretraining.train(pretraining.PretrainConfig(**values), out, cache), out)


@app.command()
def reproduce(
    experiment: Annotated[
        str,
        typer.Argument(
            help="bit, bivit, bipft, bibench, edge, dbllm, binarydm, bidense, bimtdp, dbnet, rbonn, cmim, qpsbgd, bwta "
            "or planes."
        ),
    ],
    cell: Annotated[str, typer.Option(help="Names of cells to run, such as 'sst2.*'.")] = "*",
    seed: Annotated[int, typer.Option(min=0, help="Of every cell.")] = 0,
    out: Out = Path("runs-out"),
    show: Annotated[bool, typer.Option("--list", help="Only show cells, records and verdicts.")] = False,
    operator: Annotated[
        str,
        typer.Option(
            help="bibench: a binarizer of yours, my.py:MyBinarizer or module:MyBinarizer; it runs that code."
        ),
    ] = "",
    jobs: Annotated[
        int, typer.Option(min=1, help="Cells at a time, each in a process of its own, of one thread.")
    ] = 1,
    cluster: Annotated[
        str,
        typer.Option(
            help="Address of a Dask scheduler, such as tcp://host:8786, whose workers run the cells. They need "
            "binviz[cluster], one thread each (dask worker --nthreads 1), the data, and the folder --out, which all "
            "share. One that joins later needs the same and gets cells, too; where none is left, the command waits for "
            "others. Stopped by Ctrl-C, they end the cells that they are at."
        ),
    ] = "",
) -> None:
    """Run an experiment, most important cells first; recorded ones are skipped, killed ones go on."""
    from binviz.experiments import operators, parallel, registry, report
    from binviz.experiments.cells import reproduce as run_cells

    if jobs > 1 and cluster:
        raise UserError(
            "--jobs is for this machine, a cluster has its own number of workers; give one of both"
        )
    chosen = operators.with_row(experiment, operator) if operator else registry.get(experiment)
    typer.echo(report.cells(chosen, out, cell, seed))
    if not show:
        found = run_cells(chosen, out, cell, seed)
        if jobs > 1 or cluster:
            found = parallel.reproduce(chosen, out, cell, seed, jobs, cluster, operator)
        for run in found:
            typer.echo(report.line(run))
    if chosen.compared:
        typer.echo(report.table(chosen, out))
    typer.echo(report.verdicts(chosen, out))


@app.command()
def claims(
    paper: Annotated[str, typer.Option(help="Only of BiT, BiViT, another paper, or 'asked here'.")] = "",
    verdict: Annotated[str, typer.Option(help="Only those that: holds, weak, fails, or 'not run'.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Everything that is known, as JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also judge by the run records of this folder.")] = None,
) -> None:
    """The papers' claims: what they printed, what was measured here, how sure that is, and the verdict."""
    import json

    from binviz.experiments import ledger
    from binviz.experiments.questions import questions

    entries = ledger.chosen(ledger.ledger(questions(out)), paper, verdict)
    if as_json:
        typer.echo(json.dumps([entry.to_dict() for entry in entries], indent=1, ensure_ascii=False))
    else:
        typer.echo(printable(ledger.table(entries)))


@app.command()
def figures(
    out: Annotated[Path, typer.Option(help="Folder for them.")] = Path("figures"),
    form: Annotated[Literal["svg", "png"], typer.Option("--format", help="Of the files.")] = "svg",
    theme: Annotated[
        Literal["light", "dark"], typer.Option(help="Of the slides; their ground shows through.")
    ] = "light",
) -> None:
    """Draw the figures of a lecture for slides, from bundled models and records (needs kaleido and a Chrome)."""
    from binviz_dashboard import slides

    for path in slides.write(out, form, theme):
        typer.echo(str(path))


@app.command()
def evaluate(
    name: Annotated[str, typer.Argument(help="A bundled model, or a folder or file of yours.")],
    task: Annotated[
        str | None,
        typer.Option(
            help="Where the name does not say: cifar10, camvid, camvid-boundaries, sst2, cola, mrpc, rte, wnli, stsb, "
            "qnli, qqp, mnli, novels, wikitext, digits-diffusion, cifar10-diffusion, digits, points, scene-text, "
            "speech, speech-unheard, tumours, tumours-3 or words."
        ),
    ] = None,
    packed: Annotated[bool, typer.Option("--packed", help="Run a binary model on bits.")] = False,
) -> None:
    """Measure a model on its task and print what its run recorded, and how many examples came out otherwise."""
    from binviz import tasks, zoo
    from binviz.evidence import runs
    from binviz.training.evaluate import ROUNDING, evaluate_named

    bundled = None if Path(name).exists() else zoo.describe(name)
    if task is None and bundled:
        task = bundled.task
    if task is None:
        raise UserError(f"say which task {name} is for: --task with one of {', '.join(tasks.names())}")
    metrics, correct = evaluate_named(name, task, packed=packed)
    run = bundled.record if bundled and bundled.task == task else None
    for metric, value in metrics.items():
        beside = f"   recorded {run.metrics[metric]:.4f}" if run and metric in run.metrics else ""
        typer.echo(f"{metric} {value:.4f}{beside}")
    differ = runs.differing(run, correct) if run else None
    if differ is not None:
        why = "; rounding differs between processors" if 0 < differ <= ROUNDING * len(correct) else ""
        why = why or ("; more than rounding explains" if differ else "")
        typer.echo(f"{differ} of {len(correct)} examples right or wrong otherwise than recorded{why}")


@app.command()
def robustness(
    names: Annotated[list[str], typer.Argument(help="Bundled models, or folders or files of yours.")],
    task: Annotated[
        str | None, typer.Option(help="The task of all, where the first name does not say.")
    ] = None,
    examples: Annotated[int | None, typer.Option(min=1, help="Only the first so many inputs.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the corruptions.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Also write a record of each model to this folder.")
    ] = None,
) -> None:
    """Corrupt the pictures, recordings, texts or points of a task, and count what models still have right."""
    from binviz import tasks, zoo
    from binviz.evidence.robustness import write
    from binviz.experiments.robustness import measure, table
    from binviz.training.evaluate import loaded

    if task is None and Path(names[0]).exists():
        raise UserError(f"say which task {names[0]} is for: --task digits, or another")
    asked = tasks.get(task or zoo.describe(names[0]).task)
    models = {name: loaded(name, asked.name) for name in names}
    with typer.progressbar(length=1000, label="corruptions", file=sys.stderr) as bar:
        found = measure(
            models, asked, examples, seed, lambda share, _: bar.update(int(1000 * share) - bar.pos)
        )
        bar.update(1000 - bar.pos)
    typer.echo(table(list(found.values())))
    if out is not None:
        for record in found.values():
            typer.echo(f"written: {write(record, out)}")


@app.command()
def costs(
    name: Annotated[str, typer.Argument(help="A bundled model, or a folder or file of yours.")],
    rule: Annotated[str, typer.Option(help="Whose counting; see binviz.costs.rules.names().")] = "everything",
    tokens: Annotated[int, typer.Option(min=1, help="Length of the text that is counted.")] = 128,
) -> None:
    """Count a model's operations and bytes, layer by layer, under a named rule."""
    import binviz
    from binviz import costs as accountant

    typer.echo(accountant.of(binviz.load(name), tokens=tokens, rule=rule))


@app.command()
def scan(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .safetensors or .gguf checkpoint from any library, a part or index of it, or its folder; "
            "a packed model of binviz, too."
        ),
    ],
    binarizers: Annotated[str | None, typer.Option(help="Weight binarizers, separated by commas.")] = None,
    order: Annotated[str, typer.Option(help="file or error.")] = "file",
) -> None:
    """What a checkpoint holds and its true bits per weight; then the binarization error of every weight tensor."""
    from binviz.analysis.contents import contents, readable, summed_up
    from binviz.analysis.scan import BINARIZERS, said
    from binviz.analysis.scan import scan as scan_file

    chosen = _split(binarizers) if binarizers else BINARIZERS
    held = contents(file)
    typer.echo(printable(readable(held).to_string(index=False)))
    typer.echo(f"{summed_up(held)}\n")
    table = scan_file(file, chosen, order=order)  # type: ignore[arg-type]
    typer.echo(printable(table.to_string(index=False)))
    if left_out := said(table.attrs["skipped"]):
        typer.echo(left_out)


@app.command()
def doctor() -> None:
    """Say what this machine has and whether everything is in order; the lines to send with a report."""
    from binviz.bench.doctor import examine

    wrong = 0
    for found in examine():
        wrong += not found.well
        typer.echo(f"{'ok ' if found.well else 'NOT'}  {printable(found.line)}")
    if wrong:
        raise UserError(f"{wrong} of these are not as they should be")


@app.command()
def bench(
    quick: Annotated[bool, typer.Option(help="One layer, one model, fewer rounds: about a minute.")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write everything to this .json file.")] = None,
    threads: Annotated[str, typer.Option(help="Numbers of threads, such as 1,2.")] = "",
    busy: Annotated[bool, typer.Option(help="Measure although other programs are running.")] = False,
) -> None:
    """Measure kernels and models on this machine, beside its own limit, torch and other libraries."""
    from binviz.bench import run

    run.command(quick, out, _split(threads), busy)


def _split(stages: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in stages.split(",") if part.strip())


def main() -> None:
    """Run the command; a UserError becomes one line on the error stream and exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # where a console lacks a sign, such as µ
    logging.basicConfig(format="%(message)s")
    logging.getLogger("binviz").setLevel(logging.INFO)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        app()
    except Exception as error:
        line = _line(error)
        if line is None:
            raise
        typer.secho(f"binviz: {line}", fg="red", err=True)
        sys.exit(1)


def _line(error: Exception) -> str | None:
    """What to tell a person of an error that is theirs to mend; None of a bug."""
    if isinstance(error, UserError):
        return str(error)
    # binviz_kernels refuses these settings when it is imported, and knows no UserError
    if isinstance(error, ValueError) and str(error).startswith(("BINVIZ_KERNELS", "NUMBA_DISABLE_JIT")):
        return one_line(error)
    if isinstance(error, RuntimeError) and "torchvision::" in str(error):
        return "torchvision does not fit the installed torch; install both again together, or uninstall torchvision"
    return None


if __name__ == "__main__":
    main()
