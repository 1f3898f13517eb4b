#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the library with one fault after the other and demands that its judge finds each.

A mutant costs the compilation of the files that it edits, as copies, and one link: their objects go
before the library on the judge's own link line, so the library's are never pulled in.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import catalogue  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT_SECONDS = 120
SIMULATION_SECONDS = 300


class Trouble(Exception):
    """The suite itself cannot go on: an edit does not apply, or does not compile."""


@dataclasses.dataclass
class Outcome:
    found: bool
    undecided: bool = False  # the judge was ended before it had said anything; then not found
    seeds: str = "-"
    reason: str = ""
    build_seconds: float = 0
    run_seconds: float = 0


def apply_edits(mutant):
    """The edited files as {path: text}."""
    texts = {}
    for edit in mutant.edits:
        text = texts.get(edit.file) or (ROOT / edit.file).read_text()
        if text.count(edit.old) != 1:
            raise Trouble(
                f"{mutant.name}: its place is there {text.count(edit.old)} times in {edit.file}:\n"
                f"{edit.old}\nThe code has moved on; so must tests/mutants/catalogue.py."
            )
        texts[edit.file] = text.replace(edit.old, edit.new)
    return texts


def program_of(judge):
    if judge == catalogue.CORE:
        return "tests/raft_tests"
    if judge == catalogue.HOSTS:
        return "tests/simulation/simulate"
    return f"tests/{judge.split(':')[0]}_tests"


class Builder:
    """Makes mutants of what a finished build holds."""

    def __init__(self, build):
        self.build = build
        commands = json.loads((build / "compile_commands.json").read_text())
        self.compile = {entry["file"]: entry["command"] for entry in commands}
        self.links = {}

    def link_command(self, program):
        if program not in self.links:
            listed = subprocess.run(["ninja", "-C", self.build, "-t", "commands", program],
                                    capture_output=True, text=True, check=True).stdout
            self.links[program] = listed.strip().splitlines()[-1]
        return self.links[program]

    def make(self, mutant):
        """The path of the judge's program with the mutant in it."""
        folder = self.build / "mutants" / mutant.name
        objects = [self.object_of(mutant, folder, name, text)
                   for name, text in apply_edits(mutant).items()]
        program = program_of(mutant.judge)
        output = folder / pathlib.Path(program).name
        link = self.link_command(program)
        link, outputs = re.subn(r"-o \S+", f"-o {shlex.quote(str(output))}", link, count=1)
        in_front = " " + " ".join(shlex.quote(name) for name in objects)
        link, libraries = re.subn(r"\ssrc/libdrumbeat\.a", in_front + r"\g<0>", link, count=1)
        if (outputs, libraries) != (1, 1):
            raise Trouble(f"the link line of {program} looks different than expected:\n{link}")
        self.run(link, mutant)
        return output

    def object_of(self, mutant, folder, name, text):
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(text)
        original = str(ROOT / name)
        command = self.compile[original]
        output = f"{copy}.o"
        command = re.sub(r"-o \S+", f"-o {shlex.quote(output)}", command, count=1)
        command = re.sub(r"-c .*$", f"-c {shlex.quote(str(copy))}", command)
        self.run(f"{command} -I{shlex.quote(str((ROOT / name).parent))} -w", mutant)
        return output

    def run(self, command, mutant):
        done = subprocess.run(command, shell=True, cwd=self.build, capture_output=True, text=True)
        if done.returncode != 0:
            raise Trouble(f"{mutant.name} cannot be built:\n{command}\n{done.stderr}")


def ask(judge, seeds, program, folder, hangs=False):
    """Runs the judge's program in `folder`; `hangs`: a hang is what it looks for. Returns an Outcome
    without build time."""
    begin = time.monotonic()
    environment = dict(os.environ)
    if judge == catalogue.CORE:
        command = [program, "--gtest_filter=CoreSimulationTest.*"]
        environment.update(DRUMBEAT_FIRST_SEED="1", DRUMBEAT_SEEDS=str(seeds))
        environment.pop("DRUMBEAT_SEED", None)
        broken = re.compile(r"DRUMBEAT_SEED=(\d+) after step \d+: (.*)")
    elif judge == catalogue.HOSTS:
        command = [program, "1", str(seeds)]
        broken = re.compile(r"seed (\d+): BROKEN: (.*)")
    else:
        command = [program, f"--gtest_filter={judge.split(': ')[1]}"]
        broken = re.compile(r"\[  FAILED  \] (?:\d+ tests?, listed below:)?()(.*?)(?: \(|,|$)")
    limit = UNIT_SECONDS if seeds == 0 else SIMULATION_SECONDS
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True,
                              timeout=limit, errors="replace")
    except subprocess.TimeoutExpired:
        return Outcome(hangs, not hangs, "?", f"does not end within {limit} s",
                       run_seconds=time.monotonic() - begin)
    outcome = Outcome(False, run_seconds=time.monotonic() - begin)
    match = broken.search(done.stdout)
    if match and done.returncode != 0:
        outcome = dataclasses.replace(outcome, found=True, seeds=match[1] or "-", reason=match[2])
    elif done.returncode in (-signal.SIGKILL, -signal.SIGTERM):  # for want of memory, or by somebody
        outcome = dataclasses.replace(outcome, undecided=True, seeds="?",
                                      reason=f"is ended by signal {-done.returncode}")
    elif done.returncode < 0:
        last = re.findall(r"^seed (\d+):", done.stdout, re.MULTILINE)
        outcome = dataclasses.replace(outcome, found=True, seeds=str(int(last[-1]) + 1) if last
                                      else "?", reason=f"dies of signal {-done.returncode}")
    elif "Running 0 tests from" in done.stdout:
        raise Trouble(f"{judge} names no test")
    elif done.returncode != 0:
        outcome = dataclasses.replace(outcome, undecided=True, seeds="?",
                                      reason=f"ends with status {done.returncode} for no known reason")
    return outcome


def hunt(builder, mutant):
    begin = time.monotonic()
    program = builder.make(mutant)
    built = time.monotonic() - begin
    outcome = ask(mutant.judge, mutant.seeds, program, program.parent, mutant.hangs)
    outcome.build_seconds = built
    shutil.rmtree(program.parent)
    return outcome


def row(mutant, outcome):
    of = f"{outcome.seeds} of {mutant.seeds}" if mutant.seeds else "-"
    reason = outcome.reason if outcome.found else "SURVIVES"
    if outcome.undecided:
        reason = f"UNDECIDED: {outcome.reason}"
    reason = reason[:90].replace("|", "/")
    number = mutant.number or ""
    return (f"| {number} | `{mutant.name}`: {mutant.what} | {mutant.judge.replace('|', '/')} | "
            f"{of} | {outcome.build_seconds:.0f} + {outcome.run_seconds:.1f} | {reason} |")


def control(builder, results):
    """What found mutants must find nothing in the library as it is, over the same seeds."""
    most = {}
    for mutant, outcome in results:
        seeds = int(outcome.seeds) if outcome.seeds.isdigit() else min(mutant.seeds, 20)
        most[mutant.judge] = max(most.get(mutant.judge, 0), seeds)
    for judge, seeds in sorted(most.items()):
        outcome = ask(judge, seeds, builder.build / program_of(judge), builder.build / "mutants")
        over = f" over {seeds} seeds" if seeds else ""
        fails = outcome.found or outcome.undecided
        print(f"control: {judge}{over}: {'FAILS: ' + outcome.reason if fails else 'passes'}, "
              f"{outcome.run_seconds:.1f} s", flush=True)
        if fails:
            return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="only that every edit applies")
    parser.add_argument("--programs", action="store_true", help="only list the judges' programs")
    parser.add_argument("names", nargs="*", help="of mutants; none: all")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {mutant.name for mutant in catalogue.MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in catalogue.MUTANTS
              if not arguments.names or mutant.name in arguments.names]
    if arguments.programs:
        print(*sorted({pathlib.Path(program_of(mutant.judge)).name for mutant in chosen}))
        return 0
    for mutant in chosen:
        apply_edits(mutant)
    if arguments.check:
        print(f"{len(chosen)} mutants apply")
        return 0
    builder = Builder(arguments.build.resolve())
    begin = time.monotonic()
    print("| # | mutant | judge | seeds | build + run, s | how it shows |\n|---|---|---|---|---|---|",
          flush=True)
    results = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        hunts = [pool.submit(hunt, builder, mutant) for mutant in chosen]
        for mutant, hunted in zip(chosen, hunts):
            results.append((mutant, hunted.result()))
            print(row(*results[-1]), flush=True)
    good = control(builder, results)
    undecided = [mutant.name for mutant, outcome in results if outcome.undecided]
    survivors = [mutant.name for mutant, outcome in results
                 if not outcome.found and not outcome.undecided]
    print(f"{len(results)} mutants, {len(survivors)} survive, {len(undecided)} undecided, "
          f"{time.monotonic() - begin:.0f} s"
          + "".join(f"\nSURVIVES: {name}" for name in survivors)
          + "".join(f"\nUNDECIDED: {name}" for name in undecided))
    return 0 if good and not survivors and not undecided else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        sys.exit(2)
