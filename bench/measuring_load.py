"""Streams of a scripted server in another process, measured by chartgen's client; prints JSON."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection as Pipe
from statistics import fmean

from bench.measuring import RATE, USERS
from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection
from chartgen.measure.runs import BenchPlan, measure
from tests.scripted_engine import Script, ScriptedEngine

ROUNDS, TOKENS = 5, 4000


def serve(pipe: Pipe) -> None:
    """Stream until told to stop, then send the rates that the server kept."""
    with ScriptedEngine(Script(tokens=TOKENS, rate=RATE), flavour="plain") as engine:
        pipe.send(engine.url)
        pipe.recv()
        pipe.send(engine.played)


def main() -> int:
    """Measure, after one round that does not count."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    connection = Connection(read_endpoint(ours.recv()))
    plan = BenchPlan("smallapp", runs=ROUNDS, users=USERS, max_tokens=TOKENS)
    rates: list[float] = []
    wall = cpu = 0.0
    began, used = time.perf_counter(), time.process_time()
    for found in measure(connection, plan):
        seconds, spent = time.perf_counter() - began, time.process_time() - used
        if found.counts:
            rates += [run.decode_tokens_per_second or 0.0 for run in found.runs]
            wall, cpu = wall + seconds, cpu + spent
        began, used = time.perf_counter(), time.process_time()
    ours.send("stop")
    played = ours.recv()[USERS:]
    server.join()
    document = {
        "server_rate": fmean(played),
        "client_rate": fmean(rates),
        "cpu_per_cent": 100 * cpu / wall,
    }
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
