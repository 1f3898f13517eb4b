// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"drumbeat/interop/pipe"
)

// The kinds of node.
const (
	kindGo       = "go" // Dragonboat
	kindDrumbeat = "db"
)

// firstUid is the user id of a run's first node; nobody else should use it and those behind it.
const firstUid = 31001

// node is one node host, with at most one replica of each shard. It outlives its process.
type node struct {
	run     *run
	kind    string
	replica uint64 // its id in every shard
	address string
	dir     string
	log     string
	uid     uint32 // 0: our own

	host   pipe.Request            // how the host is opened
	starts map[uint64]pipe.Request // how the replica of each shard is started

	mutex    sync.Mutex
	process  *process // nil: down
	expected bool     // its end is our doing
	stats    pipe.Stats

	inspected int // bytes of the log
}

func (n *node) String() string { return fmt.Sprintf("%d(%s)", n.replica, n.kind) }

func (n *node) port() int {
	_, port, _ := strings.Cut(n.address, ":")
	number, _ := strconv.Atoi(port)
	return number
}

// up starts the process, opens the host and starts the replicas that it had.
func (n *node) up() error {
	p, err := startProcess(n.run.programs[n.kind], filepath.Dir(n.dir), n.log, n.uid)
	if err != nil {
		return err
	}
	n.mutex.Lock()
	n.process, n.expected = p, false
	n.mutex.Unlock()
	go n.watch(p)
	if _, err := n.call(n.host); err != nil {
		return fmt.Errorf("node %v: open: %w", n, err)
	}
	for _, start := range n.starts {
		if _, err := n.call(start); err != nil {
			return fmt.Errorf("node %v: start of shard %d: %w", n, start.Shard, err)
		}
	}
	return nil
}

// watch reports an end of the process that nobody asked for.
func (n *node) watch(p *process) {
	<-p.done
	n.mutex.Lock()
	surprise := n.process == p && !n.expected
	if n.process == p {
		n.process = nil
	}
	n.mutex.Unlock()
	if surprise {
		n.run.complain("node %v died: %v\n%s", n, p.exit, tail(n.log, 25))
	}
}

func (n *node) running() *process {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.process
}

func (n *node) call(request pipe.Request) (*pipe.Reply, error) {
	p := n.running()
	if p == nil {
		return nil, errDown
	}
	return p.call(request)
}

// start starts a replica of a shard here, now and after each restart.
func (n *node) start(request pipe.Request) error {
	request.Cmd, request.Replica = "start", n.replica
	if n.run.adjust != nil {
		n.run.adjust(n, &request)
	}
	n.starts[request.Shard] = request
	_, err := n.call(request)
	return err
}

// takeStats adds the counters of the present process to those of its predecessors. Call it once
// for each process, last.
func (n *node) takeStats() {
	reply, err := n.call(pipe.Request{Cmd: "stats"})
	if err != nil || reply.Stats == nil {
		return
	}
	n.stats = sum(n.stats, *reply.Stats)
}

func sum(a, b pipe.Stats) pipe.Stats {
	return pipe.Stats{
		LeaderChanges:      a.LeaderChanges + b.LeaderChanges,
		SnapshotsTaken:     a.SnapshotsTaken + b.SnapshotsTaken,
		SnapshotsSent:      a.SnapshotsSent + b.SnapshotsSent,
		SnapshotsFailed:    a.SnapshotsFailed + b.SnapshotsFailed,
		SnapshotsReceived:  a.SnapshotsReceived + b.SnapshotsReceived,
		SnapshotsRecovered: a.SnapshotsRecovered + b.SnapshotsRecovered,
		LogCompactions:     a.LogCompactions + b.LogCompactions,
	}
}

// kill ends the process as a power cut of it would.
func (n *node) kill() {
	n.mutex.Lock()
	p := n.process
	n.expected = true
	n.mutex.Unlock()
	if p == nil {
		return
	}
	p.kill()
	n.mutex.Lock()
	if n.process == p {
		n.process = nil
	}
	n.mutex.Unlock()
}

// exit ends the process in order; one that does not obey is a failure.
func (n *node) exit() error {
	n.mutex.Lock()
	p := n.process
	n.expected = true
	n.mutex.Unlock()
	if p == nil {
		return nil
	}
	_, err := p.call(pipe.Request{Cmd: "exit"})
	if err == nil || err == errDown {
		<-p.done
		err = p.exit
	}
	n.kill()
	if err != nil {
		return fmt.Errorf("node %v: exit: %w\n%s", n, err, tail(n.log, 25))
	}
	return nil
}

func (n *node) freeze() {
	if p := n.running(); p != nil {
		p.signal(syscall.SIGSTOP)
	}
}

func (n *node) thaw() {
	if p := n.running(); p != nil {
		p.signal(syscall.SIGCONT)
	}
}

// Log lines that tell of a defect, whatever the scenario did.
// Dragonboat only warns of some.
var badLine = regexp.MustCompile(
	`(^|\s)panic|fatal error|^goroutine \d|runtime error|invariant|Sanitizer|DRUMBEAT_CHECK| C \| |\[CRITICAL\]|` +
		`deployment id does not match|compatibility version not match|invalid chunk|invalid snapshot|` +
		`message sent to .* but received by|already exist$|rl disabled`)

// Errors of the log; those of them that broken connections explain; and those that only snapshots
// explain that were cut off in the middle.
var (
	errorLine = regexp.MustCompile(` E \| | ERROR `)
	lossLine  = regexp.MustCompile(`send batch failed|failed to get a connection|failed to get the header|` +
		`failed to close the connection|failed to get poison ack|failed to send snapshot|failed to connect|` +
		`snapshot chunk processing failed|streaming snapshot chunk|failed to get a job`)
	cutOffLine = regexp.MustCompile(`not tracked chunk|out of order|chunk rejected`)
)

// inspectLog returns the lines that should not be there, of those since the last call. `losses`:
// connections were broken.
func (n *node) inspectLog(losses bool) []string {
	text, err := os.ReadFile(n.log)
	if err != nil {
		return nil
	}
	text, n.inspected = text[least(n.inspected, len(text)):], len(text)
	return badLines(string(text), losses, n.run.cutOffs)
}

func badLines(text string, losses, cutOffs bool) []string {
	var bad []string
	for _, line := range strings.Split(text, "\n") {
		explained := losses && lossLine.MatchString(line) || cutOffs && cutOffLine.MatchString(line)
		defect := badLine.MatchString(line) || errorLine.MatchString(line) && !explained
		if defect && len(bad) < 10 {
			bad = append(bad, strings.TrimSpace(line))
		}
	}
	return bad
}

func tail(path string, lines int) string {
	text, _ := os.ReadFile(path)
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "    | " + strings.Join(all[most(0, len(all)-lines):], "\n    | ")
}
