#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks like example-helloworld, for tests of the harness: the group's log is a file that all
replicas share, so that any of them alone serves."""
import fcntl
import os
import signal
import sys
import threading
import time

replica = sys.argv[sys.argv.index("-replicaid") + 1] if "-replicaid" in sys.argv else "1"
folder = "example-data/helloworld-data"
os.makedirs(f"{folder}/node{replica}", exist_ok=True)
log = f"{folder}/log"


def say(text, to=sys.stdout):
    to.write(text + "\n")
    to.flush()


def apply():
    count = 0
    with open(log, "a+", encoding="utf-8") as entries:
        entries.seek(0)
        while True:
            line = entries.readline()
            if line:
                count += 1
                say(f"from Update() : msg: {line[:-1]}, count:{count}")
            else:
                time.sleep(0.001)


signal.signal(signal.SIGINT, signal.SIG_DFL)
say(f"node address: localhost:6300{replica}")
say("2017-09-09 00:02:08.873755 I | raft: "
    f"[00128:0000{replica}] became leader in term {replica}", sys.stderr)
threading.Thread(target=apply, daemon=True).start()
for typed in sys.stdin:
    if typed == "exit\n":
        sys.exit(0)
    with open(log, "a", encoding="utf-8") as entries:
        fcntl.flock(entries, fcntl.LOCK_EX)
        entries.write(typed)
signal.pause()
