// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sort"
	"time"
)

// restarts: each replica, then two, then all are killed and come back under load.
func restarts(r *run) {
	r.settings.SnapshotEntries = 100
	nodes := r.mixed()
	l := r.startLoad(6, nodes, nodes)
	l.progress(100)
	for _, victims := range [][]*node{nodes[:1], nodes[1:2], nodes[2:], nodes[1:], nodes} {
		for _, n := range victims {
			n.takeStats()
			n.kill()
		}
		if len(victims) == 1 {
			l.progress(50)
		}
		r.each(victims, (*node).up)
		l.progress(60)
	}
	l.stop()
	r.converge(shard, nodes)
	l.askAgain(nodes)
}

// elections: right after replicas of one kind were restarted, the leader dies. Connections to the
// restarted ones are stale then; a group of four needs the votes of all three that are left.
func elections(r *run) {
	for _, kinds := range [][]string{{r.major, r.major, r.minor}, {r.major, r.major, r.minor, r.minor}} {
		nodes := r.found(kinds...)
		var times []time.Duration
		for round := 0; round < most(4, r.scaled(12)); round++ {
			times = append(times, r.electAfterRestart(nodes, nodes[round%len(nodes)], kinds[(round/2)%len(kinds)]))
		}
		sort.Slice(times, func(a, b int) bool { return times[a] < times[b] })
		r.figure("%d members: %d elections, median %d ms, longest %d ms (election timeout %d ms)", len(kinds), len(times),
			times[len(times)/2].Milliseconds(), times[len(times)-1].Milliseconds(), r.election().Milliseconds())
		r.converge(shard, nodes)
		for _, n := range nodes {
			n.takeStats()
			r.must(n.exit())
		}
	}
}

// electAfterRestart restarts those of a kind that do not lead and kills the leader as soon as they
// are back. It returns how long the rest had no common leader.
func (r *run) electAfterRestart(nodes []*node, leader *node, kind string) time.Duration {
	r.makeLeader(leader, nodes)
	for _, n := range nodes {
		if n != leader && n.kind == kind {
			n.takeStats()
			n.kill()
			r.must(n.up())
		}
	}
	// The restarts may have cost it its quorum and the leadership.
	now := r.leaderOf(shard, nodes)
	leader = withReplica(nodes, now)
	leader.takeStats()
	leader.kill()
	rest := without(nodes, leader)
	took := r.newLeader(rest, leader)
	r.must(leader.up())
	return took
}

func withReplica(nodes []*node, replica uint64) *node {
	for _, n := range nodes {
		if n.replica == replica {
			return n
		}
	}
	return nil
}

// newLeader waits until the nodes agree on a leader that is not the old one.
func (r *run) newLeader(nodes []*node, old *node) time.Duration {
	start := time.Now()
	r.eventually(patience, "another leader", func() error {
		if leader := r.leaderOf(shard, nodes); leader == old.replica {
			return fmt.Errorf("node %d leads", leader)
		}
		return nil
	})
	return time.Since(start)
}

// partitions: the kinds can't reach each other, the leader is cut off, messages pass in one
// direction only; connections hang or break. All of it under load.
func partitions(r *run) {
	nodes := r.mixed()
	l := r.startLoad(6, nodes, nodes)
	l.progress(60)
	for round, cut := range []func(loss){
		func(how loss) { r.split(nodes, func(a, b *node) bool { return a.kind != b.kind }, how) },
		func(how loss) { r.isolate(nodes[0], nodes, how) },
		func(how loss) { r.must(r.blockAll(nodes[:1], nodes, how)) },
		func(how loss) { r.must(r.blockAll(nodes, nodes[:1], how)) },
		func(how loss) { r.split(nodes, func(a, b *node) bool { return true }, how) },
	} {
		r.makeLeader(nodes[0], nodes)
		how := []loss{drop, reset}[round%2]
		r.verbosely("cut %d, %s", round, how)
		cut(how)
		r.pause(6)
		r.must(r.network.heal())
		l.progress(60)
	}
	l.stop()
	r.converge(shard, nodes)
	l.askAgain(nodes)
}

// split cuts both directions between each two nodes that `between` names.
func (r *run) split(nodes []*node, between func(a, b *node) bool, how loss) {
	for i, a := range nodes {
		for _, b := range nodes[i+1:] {
			if between(a, b) {
				r.must(r.network.block(a, b, how))
				r.must(r.network.block(b, a, how))
			}
		}
	}
}

func (r *run) isolate(n *node, nodes []*node, how loss) {
	r.split(nodes, func(a, b *node) bool { return a == n || b == n }, how)
}

// blockAll cuts the way from each of `from` to each of `to`.
func (r *run) blockAll(from, to []*node, how loss) error {
	for _, a := range from {
		for _, b := range to {
			if a != b {
				if err := r.network.block(a, b, how); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
