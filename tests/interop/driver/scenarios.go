// SPDX-License-Identifier: Apache-2.0

package main

import "drumbeat/interop/pipe"

// scenario is one story that a group must live through.
type scenario struct {
	name    string
	run     func(*run)
	leads   bool // it matters which kind leads: run it with either
	losses  bool // connections break, and the logs may say so
	cutOffs bool // also in the middle of snapshots
	filters bool // needs partitions
	private bool // needs a namespace of its own
	example bool // needs example-helloworld
}

// cannot says why the scenario can't be run here, or nothing.
func (s *scenario) cannot(o *options, n *network) string {
	switch {
	case s.filters && !n.filters:
		return "partitions need root and nftables"
	case s.private && !n.private:
		return "needs a network namespace"
	case s.example && o.example == "" && o.programs[kindDrumbeat] != "":
		return "needs -example"
	}
	return ""
}

var scenarios = []*scenario{
	{name: "first-start", run: firstStart},
	{name: "helloworld", run: helloworld, private: true, example: true, losses: true},
	{name: "sessions", run: sessions, leads: true, losses: true},
	{name: "session-eviction", run: sessionEviction, leads: true, losses: true},
	{name: "follower-reads", run: followerReads, leads: true},
	{name: "transfers", run: transfers},
	{name: "join-by-log", run: joinByLog, losses: true},
	{name: "join-by-snapshot", run: joinBySnapshot, losses: true},
	{name: "snapshot-interrupted", run: snapshotInterrupted, leads: true, losses: true, cutOffs: true},
	{name: "snapshots", run: snapshots, leads: true, losses: true},
	{name: "membership", run: membershipChanges, leads: true, losses: true},
	{name: "non-voting", run: nonVoting, leads: true, losses: true},
	{name: "witness", run: witness, leads: true, losses: true},
	{name: "compression", run: compression, leads: true},
	{name: "big-entries", run: bigEntries, leads: true, losses: true},
	{name: "catch-up", run: catchUp, leads: true, losses: true},
	{name: "rate-limit", run: rateLimit, leads: true, losses: true},
	{name: "ordered-changes", run: orderedChanges, leads: true, losses: true},
	{name: "tls", run: mutualTLS, leads: true, losses: true},
	{name: "shards", run: manyShards},
	{name: "quiesce", run: quiesce, leads: true},
	{name: "exits", run: exits, losses: true},
	{name: "restarts", run: restarts, leads: true, losses: true, cutOffs: true},
	{name: "elections", run: elections, losses: true},
	{name: "partitions", run: partitions, leads: true, losses: true, cutOffs: true, filters: true},
	{name: "chaos", run: chaos, losses: true, cutOffs: true},
	{name: "churn", run: churn, losses: true, cutOffs: true},
	{name: "migration", run: migration, losses: true},
}

// firstStart: three replicas are started together, twice: a key-value shard and a counter shard.
// Messages are proposed through each; order and counts are the same everywhere.
func firstStart(r *run) {
	const counterShard, messages = 2, 30
	nodes := r.found(r.major, r.major, r.minor)
	settings := r.settings
	settings.Machine = "counter"
	r.foundShard(counterShard, nodes, settings)
	for _, id := range []uint64{shard, counterShard} {
		r.leaderOf(id, nodes)
		r.each(nodes, func(n *node) error {
			s := r.openSession(id, n)
			for i := 0; i < messages; i++ {
				s.propose(n, pipe.Append("all", string(rune('a'+i%26))+n.address+";"))
			}
			return nil
		})
		state := r.converge(id, nodes)
		if state.Count != 3*messages {
			r.fatal("shard %d counted %d messages, want %d", id, state.Count, 3*messages)
		}
	}
	first := r.read(shard, nodes[0], "all")
	if first.Size == 0 {
		r.fatal("nothing was appended")
	}
}

// followerReads: under a stream of writes, linearizable reads only through the followers, of
// either kind; they are forwarded to a leader of the other kind.
func followerReads(r *run) {
	nodes := r.mixed()
	l := r.startLoad(6, nodes[1:], nodes)
	l.progress(r.scaled(1500))
	l.stop()
	r.converge(shard, nodes)
}

// scaled shrinks a number of operations in quick runs.
func (r *run) scaled(operations int) int {
	if r.quick {
		return operations / 4
	}
	return operations
}

// transfers: the leadership goes round under load, with pre-vote and check-quorum on.
func transfers(r *run) {
	r.settings.PreVote = true
	nodes := r.mixed()
	l := r.startLoad(6, nodes, nodes)
	for i := 0; i < 6; i++ {
		target := nodes[(i+1)%3]
		took := r.makeLeader(target, nodes)
		r.figure("to %v %d ms", target, took.Milliseconds())
		l.progress(50)
	}
	l.stop()
	r.converge(shard, nodes)
	l.askAgain(nodes)
}

// compression: entries are compressed by the hosts of one kind only, big and small ones.
func compression(r *run) {
	r.adjust = func(n *node, start *pipe.Request) { start.EntryCompression = n.kind == r.lead }
	nodes := r.found(r.major, r.major, r.minor)
	r.leaderOf(shard, nodes)
	for _, leader := range nodes[1:] {
		r.makeLeader(leader, nodes)
		for i, n := range nodes {
			s := r.openSession(shard, n)
			for _, size := range []int{0, 1, 100, 70_000, 1_500_000} {
				s.propose(n, pipe.Put("even", text(size, 0)))
				s.propose(n, pipe.Put("random", text(size, uint64(i+1))))
			}
			s.propose(n, nil)
		}
	}
	state := r.converge(shard, nodes)
	if want := uint64(2 * 3 * 11); state.Count != want {
		r.fatal("%d commands applied, want %d", state.Count, want)
	}
}

// text makes size bytes: all equal for seed 0, else hard to compress.
func text(size int, seed uint64) string {
	out := make([]byte, size)
	for i := range out {
		out[i] = byte('a' + seed>>56%26)
		seed = seed*6364136223846793005 + least(seed, 1)*1442695040888963407
	}
	return string(out)
}

// manyShards: the same hosts carry several shards, each under load.
func manyShards(r *run) {
	nodes := r.found(r.major, r.major, r.minor)
	var loads []*load
	for id := uint64(2); id < 8; id++ {
		r.foundShard(id, nodes, r.settings)
	}
	for id := uint64(1); id < 8; id++ {
		r.leaderOf(id, nodes)
		loads = append(loads, r.startLoadOn(id, 2, nodes, nodes))
	}
	for _, l := range loads {
		l.progress(r.scaled(300))
	}
	for i, l := range loads {
		l.stop()
		r.converge(uint64(i+1), nodes)
	}
}

// quiesce: an idle group falls silent and wakes up again for proposals through a follower and for
// reads.
func quiesce(r *run) {
	r.settings.Quiesce = true
	nodes := r.mixed()
	s := r.openSession(shard, nodes[0])
	s.propose(nodes[0], pipe.Put("a", "1"))
	idle := 25 * r.election()
	r.verbosely("waiting %v for silence", idle)
	r.pause(25)
	before := r.network.traffic()
	r.pause(5)
	packets := r.network.traffic().packets - before.packets
	r.figure("%d packets in five election timeouts of silence", packets)
	// Heartbeats alone would be 2 followers x 50 ticks x 2 messages, each with an ack.
	if r.network.private && packets > 60 {
		r.complain("the group is not silent: %d packets", packets)
	}
	for _, n := range []*node{nodes[1], nodes[2], nodes[0]} {
		s.propose(n, pipe.Append("a", "2"))
		r.read(shard, n, "a")
	}
	r.converge(shard, nodes)
}
