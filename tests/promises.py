#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Says of the promises that no gate has a figure of its own for what the gates' logs tell.

Usage: promises.py LOG...; exit status 1 when a test that the ledger names was not run, or none was.

The logs are those of one run of .ci/run. Which tests answer for a promise stands in LEDGER.md, by
its rows; `make nemesis` prints the figures of P1, P2, P4, P6 to P8 and P11 itself.
"""

import os
import re
import sys

# The rows of LEDGER.md that prove each; those of section 3, which have no ids, are "found".
PROMISES = (
    ("P3", "nothing is acknowledged before it is flushed", r"B-05|B-40|B-44|S-01|S-02"),
    ("P5", "no bytes from the network harm a process", r"W-\d\d"),
    ("P9", "mutual TLS", r"T-\d\d"),
    ("P10", "Dragonboat's bytes, also hostile ones", r"W-\d\d"),
    ("P12", "each bug keeps its test", r"B-\d\d|found"),
)
NAME = re.compile(r"`(\w+\.\w+\.\w+)`")
RESULT = re.compile(r"Test +#\d+: (\S+) .*?(Passed|\*\*\*)")
FUZZED = re.compile(r"^(\w+) +(\d+) +\S+ +\d+ +\d+ +\d+ .*\b(ok|FAILED)$")
INTEROP = re.compile(r"^(\d+) passed, (\d+) failed, (?:\d+|all) skipped")


def ledger_rows():
    """(id, names of tests) for each row of a table."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "LEDGER.md")
    with open(path, encoding="utf-8") as ledger:
        sections = ledger.read().split("\n## ")
    for section in sections:
        found = section.startswith("3.")
        for line in section.splitlines():
            match = re.match(r"\| ([A-Z]-\d\d) \|", line)
            if match or (found and line.startswith("| ") and NAME.search(line)):
                yield (match[1] if match else "found"), NAME.findall(line)


def plain(name):
    """Suite.Test of folder.Suite.Test, or of what ctest calls folder.Instance/Suite.Test/parameter."""
    suite, _, test = name.partition(".")[2].partition(".")
    return suite.rpartition("/")[2] + "." + test.partition("/")[0]


def report_missing(names, results):
    """What answers for the promise but did not in this run: by name, as far as they are few."""
    for said, how in ((True, "DID NOT PASS"), (False, "WAS NOT RUN")):
        of_kind = [name for name in names if (plain(name) in results) == said]
        for name in of_kind[:5]:
            print(f"     *** {name} {how} ***")
        if len(of_kind) > 5:
            print(f"     *** and {len(of_kind) - 5} more ***")


def read(logs):
    """Whether each test passed, each time; inputs of the fuzz targets; interop's counts."""
    results, fuzzed, interop = {}, {}, None
    for path in logs:
        with open(path, encoding="utf-8", errors="replace") as log:
            for line in log:
                if match := RESULT.search(line):
                    passed = match[2] == "Passed"
                    for name in (match[1], plain(match[1])):
                        results.setdefault(name, []).append(passed)
                elif match := FUZZED.match(line):
                    fuzzed[match[1]] = int(match[2])
                elif "interop" in os.path.basename(path) and (match := INTEROP.match(line)):
                    interop = line.strip()
    return results, fuzzed, interop


def main(logs):
    results, fuzzed, interop = read(logs)
    if not results:
        print("*** no test was run ***")
        return 1
    rows = list(ledger_rows())
    not_run = 0
    for promise, what, ids in PROMISES:
        of_promise = [names for row, names in rows if re.fullmatch(ids, row)]
        names = {name for of_row in of_promise for name in of_row}
        runs = [passed for name in names for passed in results.get(plain(name), ())]
        missing = sorted(name for name in names if not any(results.get(plain(name), ())))
        figures = f"{len(of_promise)} rows of the ledger, {len(names)} tests, {sum(runs)} runs passed"
        if promise == "P5":
            inputs = f"{sum(fuzzed.values())} inputs of {len(fuzzed)} targets fuzzed"
            figures += "; " + (inputs if fuzzed else "nothing fuzzed in this run")
        if promise == "P10":
            vectors = [name for name in results if name.startswith("codec.Wire/")]
            good = sum(1 for name in vectors if results[name][-1])
            figures += f"; {good} of {len(vectors)} tests with its bytes passed; interop: "
            figures += interop or "not in this run"
        print(f"{promise:4} {what}: {figures}")
        report_missing(missing, results)
        not_run += sum(1 for name in missing if plain(name) not in results)
    return 1 if not_run else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
