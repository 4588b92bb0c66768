"""A class on the dashboard: `python dashboard/soak.py` opens visitors who look at pages for minutes.

Each has a websocket, as a browser has, asks for a page, reads until its script has finished, and waits a while. What
they ask for is the guided tour and pages with inputs drawn at random. Printed are how long pages took, what went wrong,
and how the memory of the server grew after the caches were warm; the exit status is 1 where something did.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import sys
import time
from statistics import median, quantiles
from urllib.parse import quote_plus, urlencode

import numpy as np
import psutil
from binviz_dashboard import launch, subject, tour
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from binviz.data import sentences

#: MB a minute that the server may grow by once it is warm.
GROWTH = 1.0
#: Seconds that a page may take before it counts as lost.
LOST = 60
OWN = "Das war kein schlechter Film. 这部电影不错。 🙂"


def asked(rng: random.Random) -> tuple[str, dict[str, str]]:
    """A page and values of its URL, as a student would choose them."""
    text, digit = (
        "sst2-minilm.bit-w1a1",
        rng.choice([name for name in subject.subjects() if "digits" in name]),
    )
    sentence = rng.choice(sentences.load()).text
    picture = {"model": digit, "digit": str(rng.randrange(450))}
    step = rng.choice(tour.steps())
    return rng.choice(
        [
            (step.page, step.values | {"tour": str(tour.steps().index(step) + 1)}),
            ("answers", {"sentence": sentence}),
            ("answers", {"text": f"{OWN} {rng.randrange(1000)}"}),
            ("answers", picture),
            ("inside", {"sentence": sentence}),
            ("inside", {"view": "Attention", "model": "digits-vit.bit-w1a1", "digit": picture["digit"]}),
            ("bits", {"part": "A row of a model", "model": text, "row": str(rng.randrange(384))}),
            ("binarizers", {"seed": str(rng.randrange(10_000))}),
            ("robustness", picture | {"severity": str(rng.randint(1, 5))}),
        ]
    )


async def look(socket: ClientConnection, page: str, values: dict[str, str]) -> list[str]:
    """Ask for a page, and read until it is there; returns what it complains of."""
    first = "" if page == "answers" else page
    message = BackMsg()
    message.rerun_script.query_string = urlencode(values, quote_via=quote_plus)
    message.rerun_script.page_name = first
    await socket.send(message.SerializeToString())
    wrong = []
    while True:
        told = ForwardMsg.FromString(await asyncio.wait_for(socket.recv(), LOST))
        element = told.delta.new_element
        if element.HasField("exception"):
            wrong.append(f"{page} {values}: {element.exception.type} {element.exception.message}")
        if element.HasField("alert") and element.alert.format in (element.alert.ERROR, element.alert.WARNING):
            unknown = (
                "unknown to this model" in element.alert.body
            )  # said of a text that is meant to have them
            wrong += [] if unknown else [f"{page} {values}: {element.alert.body}"]
        if told.HasField("script_finished") and told.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            return wrong


async def visit(
    address: str, seed: int, until: float, pause: float, took: list[float], wrong: list[str]
) -> None:
    """A visitor who looks at some pages, closes the browser, and opens it again, until the end."""
    rng, where = random.Random(seed), f"{address.replace('http', 'ws')}/_stcore/stream"
    while time.monotonic() < until:
        try:
            async with connect(where, subprotocols=["streamlit"], max_size=None, origin=address) as socket:
                for _ in range(rng.randint(5, 15)):
                    await asyncio.sleep(rng.uniform(0, 2 * pause))
                    if time.monotonic() > until:
                        break
                    began = time.monotonic()
                    wrong += await look(socket, *asked(rng))
                    took.append(time.monotonic() - began)
        except (OSError, TimeoutError, ConnectionError) as error:
            wrong.append(f"visitor {seed}: {type(error).__name__} {error}")


async def weigh(server: psutil.Process, until: float) -> list[tuple[float, float]]:
    """Minutes from now, and MB that the server has in memory."""
    began, found = time.monotonic(), []
    while time.monotonic() < until:
        found.append(((time.monotonic() - began) / 60, server.memory_info().rss / 1e6))
        await asyncio.sleep(2)
    return found


async def soak(address: str, server: psutil.Process, given: argparse.Namespace) -> bool:
    """Whether all went well."""
    until = time.monotonic() + 60 * (given.warm + given.minutes)
    took: list[float] = []
    wrong: list[str] = []
    visitors = [visit(address, seed, until, given.pause, took, wrong) for seed in range(given.visitors)]
    weights, *_ = await asyncio.gather(weigh(server, until), *visitors)
    minutes, size = np.array(weights).T
    warm = minutes >= given.warm
    growth = float(np.polyfit(minutes[warm], size[warm], 1)[0])
    late = quantiles(took, n=20, method="inclusive")[-1]
    print(f"{given.visitors} visitors, {len(took)} pages in {minutes[-1]:.1f} minutes: ", end="")
    print(f"median {1000 * median(took):.0f} ms, p95 {1000 * late:.0f} ms, the longest {max(took):.1f} s")
    print(
        f"memory {size[0]:.0f} MB at first, {size[warm][0]:.0f} MB warm, {size[-1]:.0f} MB at the end: ",
        end="",
    )
    print(f"{growth:+.2f} MB a minute after {given.warm:g} minutes")
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    for line in wrong[:20]:
        print(f"WRONG {line}")
    print(f"{len(wrong)} errors; growth {'below' if growth < GROWTH else 'NOT below'} {GROWTH:g} MB a minute")
    return not wrong and growth < GROWTH


def main() -> None:
    """Start a server of its own, and send a class to it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5.0, help="that are measured")
    parser.add_argument("--warm", type=float, default=2.0, help="minutes before, in which caches fill")
    parser.add_argument(
        "--pause", type=float, default=8.0, help="mean seconds between two pages of a visitor"
    )
    given = parser.parse_args()
    with launch.serving() as address:
        (server,) = psutil.Process().children()
        well = asyncio.run(soak(address, server, given))
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
