#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of run_three.py with a stand-in for the program. Usage: run_three_test.py RUN_THREE_PY"""

import os
import select
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

RUN_THREE = ""

# Echoes its lines; `exit`, `fail` and `die` end it, SIGINT ends it with a last word. Its own first
# line names its process.
STAND_IN = """#!/bin/sh
id=$2
trap 'echo "$id closed"; trap - INT; kill -INT $$' INT
echo "pid $$"
while read -r line; do
  case $line in
    exit) exit 0 ;;
    fail) echo "cannot go on" >&2; exit 1 ;;
    die) kill -9 $$ ;;
    *) echo "$id got $line" ;;
  esac
done
while :; do sleep 0.05; done
"""


class RunThreeTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        program = os.path.join(self.folder.name, "program")
        with open(program, "w", encoding="ascii") as out:
            out.write(STAND_IN)
        os.chmod(program, stat.S_IRWXU)
        self.runner = subprocess.Popen(
            [sys.executable, RUN_THREE, program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.pids = {}
        self.lines = []
        while len(self.pids) < 3:
            mark, line = self.read_line().split(" | ")
            self.assertTrue(line.startswith("pid "), line)
            self.pids[mark] = int(line[4:])

    def tearDown(self):
        self.runner.kill()
        self.runner.wait()
        self.runner.stdin.close()
        self.runner.stdout.close()
        self.folder.cleanup()

    def read_line(self):
        line = self.runner.stdout.readline().decode()
        self.assertNotEqual(line, "", "the runner ended early")
        return line.rstrip("\n")

    def type(self, text):
        self.runner.stdin.write(text)
        self.runner.stdin.flush()

    def rest_until_end(self):
        rest = self.runner.stdout.read().decode().splitlines()
        return sorted(rest), self.runner.wait(timeout=20)

    def assert_nothing_runs(self):
        for pid in self.pids.values():
            with self.assertRaises(ProcessLookupError):
                os.kill(pid, 0)

    def test_starts_replicas_one_to_three(self):
        self.assertEqual(set(self.pids), {"1", "2", "3"})

    def test_lines_go_to_replica_one_or_as_marked(self):
        self.type(b"a\n")
        self.assertEqual(self.read_line(), "1 | 1 got a")
        self.type(b"2:b\n")
        self.assertEqual(self.read_line(), "2 | 2 got b")
        self.type(b"3:3:c\n")
        self.assertEqual(self.read_line(), "3 | 3 got 3:c")
        self.type(b"4:d\n")
        self.assertEqual(self.read_line(), "1 | 1 got 4:d")

    def test_a_signal_ends_all_three_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(signal=number):
                self.runner.send_signal(number)
                rest, status = self.rest_until_end()
                self.assertEqual(rest, ["1 | 1 closed", "2 | 2 closed", "3 | 3 closed"])
                self.assertEqual(status, 0)
                self.assert_nothing_runs()
            self.tearDown()
            self.setUp()

    def test_a_failure_ends_all_and_is_shown(self):
        self.type(b"2:fail\n")
        rest, status = self.rest_until_end()
        self.assertIn("2 | cannot go on", rest)
        self.assertEqual(status, 1)
        self.assert_nothing_runs()

    def test_an_end_leaves_the_others(self):
        self.type(b"2:exit\n")
        self.assertEqual(self.read_line(), "2 | (ended; the others go on)")
        self.type(b"3:die\n")
        self.assertEqual(self.read_line(), "3 | (was ended by signal 9; the others go on)")
        self.type(b"2:lost\n1:a\n")
        self.assertEqual(self.read_line(), "2 | has ended, the line is lost")
        self.assertEqual(self.read_line(), "1 | 1 got a")
        self.type(b"exit\n")
        self.assertEqual(self.rest_until_end(), (["1 | (ended; the others go on)"], 0))

    def test_the_end_of_the_input_is_not_the_end(self):
        self.type(b"last")
        self.runner.stdin.close()
        self.assertEqual(self.read_line(), "1 | 1 got last")
        self.assertIsNone(self.runner.poll())

    def test_nothing_outlives_a_killed_runner(self):
        self.runner.kill()
        self.runner.wait()
        for pid in self.pids.values():
            self.wait_until_gone(pid)

    def wait_until_gone(self, pid):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        ready, _, _ = select.select([handle], [], [], 20)
        os.close(handle)
        self.assertTrue(ready, "process %d goes on" % pid)


if __name__ == "__main__":
    RUN_THREE = sys.argv.pop()
    unittest.main()
