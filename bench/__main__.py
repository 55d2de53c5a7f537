"""``make bench``: everything that README.md and docs/performance.md say in numbers, in one run.

Sides are measured in turn, round after round, and told as medians and ratios: machines differ and
drift, ratios hold. guardtier's side runs as
deployed (verdicts signed and verified, a role in Redis for each part); ``--plain`` is without. ``--only
latency,rivals,…`` measures a part. Two are measured only where they are named, since they take minutes:
``agents`` (10,000) and ``million`` (parked).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from bench import detection, environment, idle, policy_rules, signatures
from bench.commands import DEFAULT_ACTIONS
from bench.measure import Job, Result, interleave, medians
from bench.report import cpu_per_10k, latency_rows, machine, ratio, table, write_json
from bench.roles import credentials
from guardtier_workers.embedded import EmbeddedRedis

PARTS = (
    "latency",
    "rivals",
    "scaling",
    "fairness",
    "idle",
    "parked",
    "answers",
    "console",
    "detection",
    "rules",
    "signatures",
)
LONG = ("agents", "million")  #: not by default
WORKERS = (1, 2, 4, 8)
SCALING_AGENTS, SCALING_CONCURRENCY = 256, 8
PARKED = 100_000
RELEASE_ALL = '{"kind": "never_confirm"}'  #: rated as usual, and nobody has to answer


def main() -> None:
    options = _options()
    parts: dict[str, Callable[[argparse.Namespace, EmbeddedRedis], dict[str, Any]]] = {
        "latency": latency_and_rivals,
        "scaling": scaling,
        "fairness": fairness,
        "idle": idle_cost,
        "parked": parked,
        "answers": answers,
        "console": console,
        "detection": long_arguments,
        "rules": rules_of_a_policy,
        "signatures": signed_verdicts,
        "agents": many_agents,
        "million": million,
    }
    results: dict[str, Any] = {}
    for name, part in parts.items():
        if name in options.only or (name == "latency" and "rivals" in options.only):
            with EmbeddedRedis(appendfsync=options.appendfsync) as server:
                results[name] = part(options, server)
                results["redis"] = version_of(server)
    where = write_json(results)
    say(f"\nRedis {results['redis']}, appendfsync {options.appendfsync}; {machine()}")
    say(f"all of it: {where.relative_to(Path.cwd()) if where.is_relative_to(Path.cwd()) else where}")


def latency_and_rivals(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """The floor, guardtier, and the same two stages on the other queues."""
    with _as_deployed(options, server) as env:
        return _latency_and_rivals(options, server, env)


@contextmanager
def _as_deployed(options: argparse.Namespace, server: EmbeddedRedis) -> Iterator[dict[str, str]]:
    """What the tier's processes have in their environment: keys and credentials; none where ``--plain``."""
    if options.plain:
        yield {}
        return
    with signatures.keys() as env:
        has_roles = int(version_of(server).partition(".")[0]) >= 7
        if not has_roles:
            note("this Redis is older than 7.0: without roles")
        yield env | (credentials(server.url, "default") if has_roles else {})


def _latency_and_rivals(
    options: argparse.Namespace, server: EmbeddedRedis, env: dict[str, str]
) -> dict[str, Any]:
    jobs: dict[str, Job] = {}
    if "latency" in options.only:
        jobs["floor"] = lambda: contestant(options, server, "bench.rivals.floor", 1)
        for agents in (1, 64, 512):
            jobs[f"guardtier {agents}"] = lambda agents=agents: contestant(
                options, server, "bench.guardtier_side", agents, "--tap", "0.5", env=env
            )
    if "rivals" in options.only:
        pythons = {name: environment.python_of(name) for name in environment.MODULES}
        jobs |= rivals(options, server, pythons)
    found = interleave(options.rounds, jobs, note)
    say(table(("", "agents", "p50 ms", "p99 ms", "decisions/s", "commands"), latency_rows(found)))
    _say_ratios(found)
    say("\nCPU seconds per 10,000 decisions")
    for name, result in found.items():
        say(f"  {name:22}" + "  ".join(f"{k} {v:.2f}" for k, v in cpu_per_10k(result).items()))
    return found


def rivals(options: argparse.Namespace, server: EmbeddedRedis, pythons: dict[str, str]) -> dict[str, Job]:
    """Each as fast as we could make it, and arq as it comes as well."""
    sides = {
        "arq 5 ms": ("arq", 64, ["--poll-delay", "0.005"]),
        "arq default": ("arq", 64, []),
        "SAQ": ("saq", 64, []),
        "streaq": ("streaq", 64, []),
        "arq 5 ms, 1 agent": ("arq", 1, ["--poll-delay", "0.005"]),
        "SAQ, 1 agent": ("saq", 1, []),
        "streaq, 1 agent": ("streaq", 1, []),
    }

    def job(library: str, agents: int, more: list[str]) -> Job:
        module = environment.MODULES[library]
        return lambda: contestant(options, server, module, agents, *more, python=pythons[library])

    return {name: job(*side) for name, side in sides.items()}


def _say_ratios(found: dict[str, Result]) -> None:
    if "floor" in found:
        one, floor = found["guardtier 1"], found["floor"]
        say(
            f"\none agent: p50 {ratio(one['p50_ms'], floor['p50_ms'])} × the floor (at most 3.5), "
            f"p99 {ratio(one['p99_ms'], floor['p99_ms'])} × (at most 8)"
        )
    if "SAQ" in found and "guardtier 64" in found:
        best = max(("arq 5 ms", "SAQ", "streaq"), key=lambda name: found[name]["per_s"])
        times = ratio(found["guardtier 64"]["per_s"], found[best]["per_s"])
        say(f"64 agents: {times} × the best of the others, {best} (at least 6)")


def scaling(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """Analyzer workers that wait 50 ms a time, eight at a time each."""
    with _as_deployed(options, server) as env:

        def job(workers: int) -> Job:
            return lambda: contestant(
                options,
                server,
                "bench.guardtier_scaling",
                SCALING_AGENTS,
                "--concurrency",
                str(SCALING_CONCURRENCY),
                env=env | {"BENCH_ANALYZERS": str(workers)},
            )

        found = interleave(options.rounds, {f"{n} workers": job(n) for n in WORKERS}, note)
    one = found["1 workers"]["per_s"]
    rows = [[name, result["per_s"], ratio(result["per_s"], one)] for name, result in found.items()]
    say("\n" + table(("a child that waits 50 ms", "decisions/s", "× one worker"), rows))
    return found


def fairness(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """A small fleet alone, and beside one that sends 50 times as much."""
    results = []
    for number in range(options.rounds):
        note(f"round {number + 1} of {options.rounds}: fairness")
        with idle.workers(server.url, "analyzer", "policy", policy=RELEASE_ALL):
            results.append(
                program("bench.guardtier_fairness", server, "--seconds", str(options.seconds * 2))
            )
        flush(server)
    found = medians(results)
    times = ratio(found["crowded_p99_ms"], found["alone_p99_ms"])
    say(
        f"\na small fleet's p99: {found['alone_p99_ms']:.2f} ms alone, {found['crowded_p99_ms']:.2f} ms "
        f"beside a fleet that sends 50 × as much: {times} × (at most 3)"
    )
    return {**found, "rounds": results}


def idle_cost(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """What workers cost that have nothing to do."""
    found = idle.measure(server.url, seconds=max(5.0, options.seconds * 2))
    rows = [[kind, r["cpu_percent"], r["rss_mib"]] for kind, r in found.items()]
    say("\n" + table(("idle worker", "% of a core (at most 1)", "RSS MiB (at most 80)"), rows))
    return found


def parked(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """The confirmation set with many actions in it."""
    note(f"parking {PARKED:,} actions of 1 kB")
    found = program("bench.guardtier_parked", server, "--actions", str(PARKED))
    say(
        f"\n{PARKED:,} parked actions of 1 kB: first page of 50 in {found['first_page_ms']:.1f} ms "
        f"(at most 10), {found['bytes_per_action']:,.0f} bytes each (at most 3,000)"
    )
    return found


def answers(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """From an approver's answer to the agent that has the verdict, beside the floor."""
    found = interleave(
        options.rounds,
        {
            "floor": lambda: contestant(options, server, "bench.rivals.floor", 1),
            "answer": lambda: _answered(server),
        },
        note,
    )
    answer = found["answer"]
    times = ratio(answer["heard_p50_ms"], found["floor"]["p50_ms"])
    say(
        f"\nanswer to verdict: p50 {answer['heard_p50_ms']:.2f} ms, {times} × the floor (at most 3); "
        f"until the agent has redeemed it {answer['used_p50_ms']:.2f} ms"
    )
    return found


def _answered(server: EmbeddedRedis) -> Result:
    try:
        return program("bench.guardtier_answers", server)
    finally:
        flush(server)


def console(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """The page on which people answer, with many actions parked and many people looking."""
    results = []
    for number in range(options.rounds):
        note(f"round {number + 1} of {options.rounds}: console")
        results.append(program("bench.guardtier_console", server, "--seconds", str(options.seconds * 5)))
        flush(server)
    found = medians(results)
    first, alone, many = found["first"], found["alone"], found["many"]
    say(
        f"\nconsole, {found['parked']:,.0f} parked: first page p50 {first['page_p50_ms']:.0f} ms, p99 "
        f"{first['page_p99_ms']:.0f} ms (at most 150; {first['page_cpu_ms']:.0f} ms of CPU)\n"
        f"a new action is on an open page p50 {alone['p50_ms']:.0f} ms, p99 {alone['p99_ms']:.0f} ms after "
        f"it was sent (at most 300)\n{found['pages']:.0f} open pages, ten actions a second: "
        f"p50 {many['p50_ms']:.0f} ms, p99 {many['p99_ms']:.0f} ms (the agent is told that it waits after "
        f"{many['agent_p50_ms']:.0f} and {many['agent_p99_ms']:.0f} ms), "
        f"for {found['busy_percent']:.1f} % of a core (at most 10)"
    )
    return {**found, "rounds": results}


def long_arguments(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """The default ensemble over arguments of 1 kB to 1 MiB."""
    note("long arguments")
    found = detection.measure()
    rows = [[name, *times, ratio(times[2], 32 * times[1])] for name, times in found.items()]
    head = ("rating, ms", "1 kB", "32 kB", "1 MiB (at most 100)", "1 MiB over 32 × 32 kB")
    say("\n" + table(head, rows))
    return found


def rules_of_a_policy(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """What the rules of a policy file cost an action."""
    note("rules of a policy file")
    found = policy_rules.measure()
    few, some, many = (found[f"{rules} rules"] for rules in policy_rules.RULES)
    say(
        f"\nan action under 200 rules: {some:.1f} µs of CPU (mean, at most 30), "
        f"{ratio(some, few)} × that under 20; under 2,000: {many:.1f} µs"
    )
    return found


def signed_verdicts(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """What a signed verdict costs; what the pipeline does without, with, and under roles as well."""
    note("signed verdicts")
    cost = signatures.measure()
    tier, agent = cost["seal"] - cost["to_json"], cost["verify"] - cost["from_json"]
    say(
        f"\na signed verdict costs {tier + agent:.0f} µs of CPU more (at most 100): {tier:.0f} where it is "
        f"signed, {agent:.0f} at the agent; the library alone {cost['sign_alone']:.0f} and "
        f"{cost['verify_alone']:.0f}"
    )

    with signatures.keys() as env:

        def job(agents: int, signed: dict[str, str]) -> Job:
            return lambda: contestant(options, server, "bench.guardtier_side", agents, env=signed)

        guarded = env | credentials(server.url, "default")
        sides = {"plain": {}, "signed": env, "signed, under roles": guarded}
        jobs = {f"{name}, {n}": job(n, given) for n in (1, 64) for name, given in sides.items()}
        found = interleave(options.rounds, jobs, note)
    rows = [[name, one["p50_ms"], one["p99_ms"], one["per_s"]] for name, one in found.items()]
    say("\n" + table(("verdicts, agents", "p50 ms", "p99 ms", "decisions/s"), rows))
    return {"cost": cost, **found}


def many_agents(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """Ten thousand agents, with a client each, and with one a process."""
    found: dict[str, Any] = {}
    for name, more in (("a client each", ()), ("one client a process", ("--shared",))):
        note(f"10,000 agents, {name}")
        found[name] = program("bench.guardtier_agents", server, *more, most_seconds=900)
        flush(server)
    rows = [
        [name, r["agents"], r["connections"], r["per_s"], r["p50_ms"], r["p99_ms"]]
        + [r["agent_kib"], r["redis_kib"]]
        for name, r in found.items()
    ]
    head = ("", "agents", "connections", "decisions/s", "p50 ms", "p99 ms", "KiB an agent", "in Redis")
    say("\n" + table(head, rows))
    return found


def million(options: argparse.Namespace, server: EmbeddedRedis) -> dict[str, Any]:
    """A million parked actions."""
    note("parking 1,000,000 actions of 1 kB")
    found = program("bench.guardtier_million", server, most_seconds=1800)
    rows = [[name, took["p50_ms"], took["max_ms"]] for name, took in found["operations"].items()]
    say("\n" + table(("1,000,000 parked", "p50 ms", "max ms"), rows))
    console = found["console"]
    say(
        f"{found['bytes_per_action']:,.0f} bytes each; a console has the 50,000 most urgent after "
        f"{console['loading_s']:.0f} s, its first page p50 {console['page_p50_ms']:.0f} ms, "
        f"{console['rss_mib']:.0f} MiB"
    )
    return found


def contestant(
    options: argparse.Namespace,
    server: EmbeddedRedis,
    module: str,
    agents: int,
    *more: str,
    python: str = sys.executable,
    env: dict[str, str] | None = None,
) -> Result:
    """One run of one side."""
    arguments = [
        "--agents",
        str(agents),
        "--seconds",
        str(options.seconds),
        "--actions",
        str(options.actions),
    ]
    try:
        return program(module, server, *arguments, *more, python=python, env=env)
    finally:
        flush(server)


def program(
    module: str,
    server: EmbeddedRedis,
    *arguments: str,
    python: str = sys.executable,
    env: dict[str, str] | None = None,
    most_seconds: float = 300,
) -> Result:
    """Run a part of the bench and read the JSON that it prints last."""
    done = subprocess.run(
        [python, "-m", module, "--redis-url", server.url, *arguments],
        cwd=environment.ROOT,
        env=os.environ | (env or {}),
        stdout=subprocess.PIPE,
        timeout=most_seconds,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"bench: {module} ended with status {done.returncode}; its error is above")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def flush(server: EmbeddedRedis) -> None:
    """Empty the server: what a killed contestant left must not slow the next one."""
    with Redis.from_url(server.url) as redis:
        redis.flushall()


def version_of(server: EmbeddedRedis) -> str:
    with Redis.from_url(server.url) as redis:
        return str(redis.info("server")["redis_version"])


def say(text: str) -> None:
    print(text, flush=True)


def note(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one run of one side")
    parser.add_argument("--actions", type=Path, default=DEFAULT_ACTIONS)
    parser.add_argument("--appendfsync", choices=("always", "everysec", "no"), default="everysec")
    parser.add_argument("--only", type=lambda text: tuple(text.split(",")), default=PARTS)
    parser.add_argument("--plain", action="store_true", help="unsigned verdicts, and no roles in Redis")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - {*PARTS, *LONG}:
        there = ", ".join(PARTS + LONG)
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {there}")
    return options


if __name__ == "__main__":
    main()
