// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"drumbeat/interop/pipe"
)

// shard is the shard that most scenarios use.
const shard = 1

// run is one scenario at work: its nodes, what it found wrong, and its figures.
type run struct {
	options
	network *network
	dir     string
	major   string // the kind of two of the three founding replicas
	minor   string // the kind of the third; may be the same
	lead    string // the kind that leads at the moment that matters
	random  *rand.Rand
	losses  bool // connections may break
	cutOffs bool // and snapshots with them

	nodes    []*node
	settings pipe.Request               // how replicas are started
	adjust   func(*node, *pipe.Request) // makes them differ from node to node; may be nil
	tls      func(*node) *pipe.TLS

	mutex    sync.Mutex
	problems []string
	figures  []string
	acked    uint64 // proposals and reads that completed
	unknown  uint64
}

// failure ends a scenario; it is the value of a panic.
type failure struct{ text string }

func (r *run) fatal(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }

func (r *run) must(err error) {
	if err != nil {
		r.fatal("%v", err)
	}
}

// complain records what is wrong without ending the scenario. From any goroutine.
func (r *run) complain(format string, args ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *run) figure(format string, args ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.figures = append(r.figures, fmt.Sprintf(format, args...))
}

func (r *run) verbosely(format string, args ...any) {
	if r.verbose {
		fmt.Printf("    %s %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
}

func (r *run) count(acked, unknown uint64) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.acked += acked
	r.unknown += unknown
}

// election is the shortest time after which a follower without a leader campaigns.
func (r *run) election() time.Duration {
	return time.Duration(r.settings.ElectionTicks*r.tickMs) * time.Millisecond
}

// add makes a node that is not up yet.
func (r *run) add(kind string) *node {
	n := &node{run: r, kind: kind, replica: uint64(len(r.nodes) + 1), starts: make(map[uint64]pipe.Request)}
	n.address = fmt.Sprintf("localhost:%d", r.network.port())
	home := filepath.Join(r.dir, fmt.Sprintf("node%d%s", n.replica, kind))
	n.dir, n.log = filepath.Join(home, "data"), home+".log"
	r.must(os.MkdirAll(n.dir, 0o700))
	if r.network.filters {
		n.uid = firstUid + uint32(n.replica)
		r.must(os.Chown(home, int(n.uid), int(n.uid)))
		r.must(os.Chown(n.dir, int(n.uid), int(n.uid)))
	}
	n.host = pipe.Request{Cmd: "host", Address: n.address, Dir: n.dir, TickMs: r.tickMs}
	if r.tls != nil {
		n.host.TLS = r.tls(n)
	}
	r.nodes = append(r.nodes, n)
	return n
}

// found starts a group of new nodes of these kinds, all founding members of the shard.
func (r *run) found(kinds ...string) []*node {
	var nodes []*node
	for _, kind := range kinds {
		nodes = append(nodes, r.add(kind))
	}
	r.each(nodes, (*node).up)
	r.foundShard(shard, nodes, r.settings)
	return nodes
}

// mixed founds the group of two nodes of the kind in the majority and one of the other, with the
// shard's leader of the kind that is to lead; it comes first.
func (r *run) mixed() []*node {
	nodes := r.found(r.major, r.major, r.minor)
	for i, n := range nodes {
		if n.kind == r.lead {
			nodes[0], nodes[i] = nodes[i], nodes[0]
			break
		}
	}
	r.makeLeader(nodes[0], nodes)
	return nodes
}

func (r *run) foundShard(id uint64, nodes []*node, settings pipe.Request) {
	settings.Shard, settings.Members = id, make(map[uint64]string)
	for _, n := range nodes {
		settings.Members[n.replica] = n.address
	}
	r.each(nodes, func(n *node) error { return n.start(settings) })
}

// each calls f for all nodes at once; an error ends the scenario.
func (r *run) each(nodes []*node, f func(*node) error) {
	errs := make(chan error, len(nodes))
	for _, n := range nodes {
		go func(n *node) { errs <- withoutPanic(f, n) }(n)
	}
	var first error
	for range nodes {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	r.must(first)
}

// withoutPanic turns the end by a failure into an error.
func withoutPanic(f func(*node) error, n *node) (err error) {
	defer func() {
		if end := recover(); end != nil {
			failed, ok := end.(failure)
			if !ok {
				panic(end)
			}
			err = errors.New(failed.text)
		}
	}()
	return f(n)
}

// eventually repeats f until it succeeds; after `limit` its last error ends the scenario.
func (r *run) eventually(limit time.Duration, what string, f func() error) time.Duration {
	start := time.Now()
	for {
		err := f()
		if err == nil {
			return time.Since(start)
		}
		if time.Since(start) > limit {
			r.fatal("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// patience is how long a group may take for what it does by itself, on a busy machine.
const patience = 40 * time.Second

// leaderOf waits until all of nodes agree on a leader.
func (r *run) leaderOf(id uint64, nodes []*node) uint64 {
	var leader uint64
	r.eventually(patience, "a common leader", func() error {
		leader = 0
		for _, n := range nodes {
			reply, err := n.call(pipe.Request{Cmd: "leader", Shard: id})
			if err != nil {
				return err
			}
			if reply.Leader == 0 || leader != 0 && leader != reply.Leader {
				return fmt.Errorf("node %v follows %d, another one %d", n, reply.Leader, leader)
			}
			leader = reply.Leader
		}
		return nil
	})
	return leader
}

// makeLeader moves the leadership of the shard to target and returns how long that took.
func (r *run) makeLeader(target *node, nodes []*node) time.Duration {
	return r.eventually(patience, fmt.Sprintf("leadership of node %v", target), func() error {
		leader := r.leaderOf(shard, nodes)
		if leader == target.replica {
			return nil
		}
		for _, n := range nodes {
			if n.replica == leader {
				// Who leads is asked again; the outcome of this call does not matter.
				n.call(pipe.Request{Cmd: "transfer", Shard: shard, Replica: target.replica, TimeoutMs: 1000})
			}
		}
		for i := 0; i < 30; i++ {
			if leader = r.leaderOf(shard, nodes); leader == target.replica {
				return nil
			}
			time.Sleep(r.election() / 20)
		}
		return fmt.Errorf("node %d leads", leader)
	})
}

// finish ends all nodes in order and looks at what they logged.
func (r *run) finish() {
	r.network.heal()
	for _, n := range r.nodes {
		n.thaw()
		n.takeStats()
	}
	r.inspectLogs(r.losses)
	for _, n := range r.nodes {
		if err := n.exit(); err != nil {
			r.complain("%v", err)
		}
	}
	r.inspectLogs(true) // the first ones to exit break the others' connections
}

// inspectLogs complains of what the nodes logged since the last call.
func (r *run) inspectLogs(losses bool) {
	for _, n := range r.nodes {
		if bad := n.inspectLog(losses); len(bad) > 0 {
			r.complain("node %v logged:\n      %s", n, strings.Join(bad, "\n      "))
		}
	}
}

func (r *run) stats() pipe.Stats {
	var all pipe.Stats
	for _, n := range r.nodes {
		all = sum(all, n.stats)
	}
	return all
}
