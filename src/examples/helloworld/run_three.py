#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a three-replica group in one terminal.

Usage: run_three.py PROGRAM

A typed line goes to replica 1, or to replica N when it begins with "N:". What a replica prints is
marked with its number. CTRL+C ends all three in order, and nothing is left running. A replica that
is ended alone (with exit, or killed) leaves the others; one that fails ends them all.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time

REPLICAS = (1, 2, 3)
LAST_WAIT_SECONDS = 3.0  # the program ends within 2 seconds of a signal
MAX_UNREAD_BYTES = 64 << 20  # of typed lines that a replica has not read yet
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In the child: even when this runner is killed, nothing stays behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Replica:
    def __init__(self, program, number):
        self.number = number
        self.typed = b""  # not yet taken by the replica
        self.end_noticed = False
        self.process = subprocess.Popen(
            [program, "-replicaid", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A group of its own: CTRL+C reaches the runner, which passes it on once.
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self.partial = {self.process.stdout: b"", self.process.stderr: b""}
        for stream in (self.process.stdin, *self.partial):
            os.set_blocking(stream.fileno(), False)

    def take(self, stream):
        """Shows the lines that have come; False at the end of the stream."""
        try:
            chunk = os.read(stream.fileno(), 1 << 16)
        except BlockingIOError:
            return True
        text = self.partial[stream] + chunk
        *lines, self.partial[stream] = text.split(b"\n")
        if not chunk and self.partial[stream]:
            lines.append(self.partial[stream])
        for line in lines:
            show(self.number, line)
        return bool(chunk)

    def type(self, line):
        if self.process.poll() is not None:
            show(self.number, b"has ended, the line is lost")
        elif len(self.typed) > MAX_UNREAD_BYTES:
            show(self.number, b"does not read its lines, this one is lost")
        else:
            self.typed += line + b"\n"
            self.pass_on()

    def pass_on(self):
        try:
            while self.typed:
                self.typed = self.typed[os.write(self.process.stdin.fileno(), self.typed) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self.typed = b""

    def end(self):
        """Waits until it has ended by itself, but not for long."""
        try:
            self.process.wait(LAST_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def show(number, line):
    sys.stdout.buffer.write(b"%d | %s\n" % (number, line))
    sys.stdout.buffer.flush()


class Runner:
    def __init__(self, program):
        self.selector = selectors.DefaultSelector()
        self.replicas = []
        self.input = b""
        self.stopping = False
        self.failed = False
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, lambda *_: self.stop())
        for number in REPLICAS:
            replica = Replica(program, number)
            self.replicas.append(replica)
            for stream in replica.partial:
                self.selector.register(stream, selectors.EVENT_READ, replica)
        try:
            self.selector.register(sys.stdin.buffer, selectors.EVENT_READ, None)
        except PermissionError:
            self.take_input_file()  # a file or /dev/null is always ready

    def take_input_file(self):
        while self.take_input():
            pass

    def take_input(self):
        chunk = os.read(sys.stdin.fileno(), 1 << 16)
        *lines, self.input = (self.input + chunk).split(b"\n")
        if not chunk and self.input:
            lines.append(self.input)
            self.input = b""
        for line in lines:
            self.route(line)
        return bool(chunk)

    def route(self, line):
        number = 1
        if line[:1] in (b"1", b"2", b"3") and line[1:2] == b":":
            number, line = int(line[:1]), line[2:]
        self.replicas[number - 1].type(line)

    def stop(self):
        if self.stopping:
            return
        self.stopping = True
        for replica in self.replicas:
            if replica.process.poll() is None:
                replica.process.send_signal(signal.SIGINT)

    def run(self):
        try:
            self.serve()
        except BrokenPipeError:
            pass  # nobody wants to see more
        finally:
            self.stop()
            for replica in self.replicas:
                replica.end()
        return 1 if self.failed else 0

    def serve(self):
        """Until all replicas have ended, or have had their time to."""
        open_streams = {stream for replica in self.replicas for stream in replica.partial}
        deadline = None
        while open_streams:
            for key, _ in self.selector.select(timeout=0.1):
                more = key.data.take(key.fileobj) if key.data else self.take_input()
                if not more:
                    self.selector.unregister(key.fileobj)
                    open_streams.discard(key.fileobj)
            for replica in self.replicas:
                replica.pass_on()
                self.notice_end(replica)
            if self.stopping and deadline is None:
                deadline = time.monotonic() + LAST_WAIT_SECONDS
            if deadline is not None and time.monotonic() > deadline:
                return
        # A replica closes its outputs a moment before it is gone.
        for replica in self.replicas:
            replica.end()
            self.notice_end(replica)

    def notice_end(self, replica):
        status = replica.process.poll()
        if status is None or replica.end_noticed or self.stopping:
            return
        replica.end_noticed = True
        if status > 0:
            # Its own last line on stderr, shown already or about to be, says why.
            self.failed = True
            self.stop()
        else:
            how = b"ended" if status == 0 else b"was ended by signal %d" % -status
            show(replica.number, b"(" + how + b"; the others go on)")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if not os.access(sys.argv[1], os.X_OK):
        sys.exit("there is no program " + sys.argv[1] + ": make helloworld builds it")
    sys.exit(Runner(sys.argv[1]).run())
