// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"sync"
	"time"
)

// console is the terminal of one example-helloworld: lines are typed there, one when the last is
// answered, and what the program prints goes into the ledger. It outlives its process.
type console struct {
	node   *node
	ledger *ledger
	random *rand.Rand

	mutex     sync.Mutex
	life      *life
	ready     chan struct{} // closed once the program has said its address
	pending   *message      // typed, not answered
	lastRead  time.Time     // that was printed, or the start
	stopped   bool
	disturbed time.Time // it was stopped until then, so that reads may have taken long
	partial   []byte    // of a line on stderr
	typed     int
}

// begin is the start of a new process.
func (c *console) begin() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.life != nil {
		c.ledger.ended(c.life)
	}
	c.stopped, c.disturbed = false, time.Time{}
	c.life, c.ready, c.pending, c.partial = &life{replica: c.node.replica}, make(chan struct{}), nil, nil
	c.lastRead = time.Now()
}

// end is the end of the last process.
func (c *console) end() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.life != nil {
		c.ledger.ended(c.life)
	}
}

// out takes a line of the program's stdout.
func (c *console) out(line []byte) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	text := strings.TrimSuffix(string(line), "\n")
	var count uint64
	switch {
	case strings.HasPrefix(text, "node address: "):
		close(c.ready)
	case strings.HasPrefix(text, "from Update() : msg: "):
		text = strings.TrimPrefix(text, "from Update() : msg: ")
		at := strings.LastIndex(text, ", count:")
		if at < 0 || scan(text[at+len(", count:"):], &count) != nil {
			c.node.run.complain("node %v printed %q", c.node, line)
			return
		}
		c.ledger.printed(c.life, text[:at], count)
	case strings.HasPrefix(text, "count: "):
		if scan(strings.TrimPrefix(text, "count: "), &count) == nil {
			c.ledger.read(c.life, count, c.readBegin())
			c.lastRead = time.Now()
		}
	default:
		c.node.run.complain("node %v printed %q", c.node, line)
	}
}

func scan[T int64 | uint64](text string, number *T) error {
	_, err := fmt.Sscan(text, number)
	return err
}

// readBegin is the earliest moment at which a read printed now can have begun. It may take 3 seconds
// (and this machine may be busy), unless the process was stopped meanwhile; it begins after the one before.
func (c *console) readBegin() time.Time {
	begin := time.Now().Add(-5 * time.Second)
	if c.disturbed.After(begin) || begin.Before(c.lastRead) {
		begin = c.lastRead
	}
	return begin
}

// disturb tells that the process is stopped, or goes on.
func (c *console) disturb(stopped bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.stopped, c.disturbed = stopped, time.Now()
}

// Write takes what the program writes to stderr: answers and its log, which goes to the file, too.
func (c *console) Write(text []byte) (int, error) {
	file, err := os.OpenFile(c.node.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.Write(text); err != nil {
		return 0, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.partial = append(c.partial, text...)
	for {
		end := bytes.IndexByte(c.partial, '\n')
		if end < 0 {
			return len(text), nil
		}
		c.errorLine(string(c.partial[:end]))
		c.partial = c.partial[end+1:]
	}
}

// errorLine takes a line of the program's stderr; with the mutex.
func (c *console) errorLine(line string) {
	var leader, term uint64
	switch {
	case strings.HasPrefix(line, "failed to get a proposal session"):
		c.answer(true)
	case strings.HasPrefix(line, "SyncPropose returned error"):
		c.answer(!strings.Contains(line, "may still be applied"))
	case strings.Contains(line, "recovered from snapshot"):
		c.life.recoveries++
	case strings.Contains(line, " became leader in term "):
		fmt.Sscan(line[strings.LastIndex(line, " "):], &term)
		c.node.run.watch.heard(c.node, &Reply{Leader: c.node.replica, Term: term})
	case strings.Contains(line, " follows leader ["):
		rest := line[strings.Index(line, " follows leader ["):]
		if n, _ := fmt.Sscanf(rest, " follows leader [00128:%d] in term %d", &leader, &term); n == 2 {
			c.node.run.watch.heard(c.node, &Reply{Leader: leader, Term: term})
		}
	}
}

// proposalTime is how long the program tries to propose a line before it says that it may still be
// applied.
const proposalTime = 3 * time.Second

// answer settles the line that the console was asked for last. An error that comes too early for
// it is of the line before, which was printed and whose time was over before its result was known.
func (c *console) answer(notDone bool) {
	m := c.pending
	if m == nil {
		return
	}
	if !notDone && time.Since(m.typed) < proposalTime {
		c.node.run.figures.add("printed, and called unknown", 1)
		return
	}
	c.pending = nil
	if notDone {
		c.ledger.refuse(m)
	} else {
		c.node.run.figures.add("unknown", 1)
	}
}

// answerTime is how long the program may take for a line: 6 s for a session, 3 s for the proposal, and
// more on a busy machine. After that the line was applied, but printed nowhere, because all replicas
// learnt of it by a snapshot.
const answerTime = 15 * time.Second

// type_ types the next line if the last one is answered: the message, or nil.
func (c *console) type_() *message {
	p := c.node.running()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if p == nil || c.busy() {
		return nil
	}
	c.typed++
	text := fmt.Sprintf("%d.%d", c.node.replica, c.typed)
	m := c.ledger.type_(text, c.node.replica)
	c.pending = m
	if p.write([]byte(text+"\n")) != nil {
		return nil // it has just ended: unknown
	}
	return m
}

// busy tells whether a line is still under way; with the mutex. Two at once could not be told apart.
func (c *console) busy() bool {
	select {
	case <-c.ready:
	default:
		return true
	}
	if c.pending == nil || c.ledger.isAnswered(c.pending, c.life) {
		return false
	}
	return c.stopped || time.Since(c.pending.typed) < answerTime || time.Since(c.disturbed) < answerTime
}
