// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"drumbeat/interop/pipe"
)

// bigEntries: entries of many megabytes pass in both directions and, after a restart, from the
// leader's stored log to a follower of the other kind, more than one batch of them.
func bigEntries(r *run) {
	size := 24 << 20
	if r.quick {
		size = 6 << 20
	}
	r.tickMs *= 3 // heartbeats wait behind them
	nodes := r.mixed()
	for _, n := range nodes {
		s := r.openSession(shard, n)
		s.propose(n, pipe.Put(fmt.Sprintf("big%d", n.replica), text(size, n.replica)))
	}
	r.converge(shard, nodes)
	late, rest := r.splitOff(nodes)
	late.takeStats()
	late.kill()
	r.makeLeader(nodes[0], rest)
	r.each([]*node{rest[0], rest[1], rest[0], rest[1]}, func(n *node) error {
		s := r.openSession(shard, n)
		s.propose(n, pipe.Put("again", text(size, 1+s.client)))
		return nil
	})
	r.must(late.up())
	r.leaderOf(shard, nodes)
	r.converge(shard, nodes)
}

// catchUp: a follower of the other kind missed thousands of entries and gets them from the log.
func catchUp(r *run) {
	nodes := r.mixed()
	late, rest := r.splitOff(nodes)
	late.takeStats()
	late.kill()
	r.makeLeader(nodes[0], rest)
	const together = 32
	var writers sync.WaitGroup
	for w := 0; w < together; w++ {
		writers.Add(1)
		go func(w int) {
			defer writers.Done()
			defer r.failureToProblem()
			s := r.openSession(shard, rest[w%2])
			for i := 0; i < r.scaled(8000)/together; i++ {
				s.propose(rest[w%2], pipe.Put(fmt.Sprintf("k%d", i%50), text(600, s.client)))
			}
		}(w)
	}
	writers.Wait()
	start := time.Now()
	r.must(late.up())
	r.leaderOf(shard, nodes)
	state := r.converge(shard, nodes)
	r.figure("%d entries caught up %d ms after its start", state.Index, time.Since(start).Milliseconds())
	r.makeLeader(late, nodes)
	s := r.openSession(shard, nodes[0])
	s.propose(nodes[0], pipe.Put("after", "all"))
	r.converge(shard, nodes)
}

// rateLimit: with a limit on the log in memory, followers report what they hold, those of Go now and
// then a number just below 2^64. A flood of large commands slows down and comes through all the same.
func rateLimit(r *run) {
	r.settings.MaxLogBytes = 1 << 20
	nodes := r.mixed()
	const together = 24
	var busy atomic.Uint64
	var writers sync.WaitGroup
	each := r.scaled(60)
	for w := 0; w < together; w++ {
		writers.Add(1)
		go func(w int) {
			defer writers.Done()
			defer r.failureToProblem()
			n := nodes[w%3]
			s := r.openSession(shard, n)
			for i := 0; i < each; i++ {
				r.eventually(patience, "a large command", func() error {
					_, err := s.once(n, pipe.Put(fmt.Sprintf("k%d", w), text(60_000, s.series)))
					if didNotHappen(err) {
						busy.Add(1)
					}
					return err
				})
				s.series++
				r.count(1, 0)
			}
		}(w)
	}
	writers.Wait()
	state := r.converge(shard, nodes)
	if want := uint64(together * each); state.Count != want {
		r.fatal("%d commands applied, want %d", state.Count, want)
	}
	r.figure("%d times told to wait", busy.Load())
}

// splitOff picks a follower, of another kind than the leader if there is one, and the rest.
func (r *run) splitOff(nodes []*node) (*node, []*node) {
	late := nodes[2]
	for _, n := range nodes[1:] {
		if n.kind != nodes[0].kind {
			late = n
		}
	}
	var rest []*node
	for _, n := range nodes {
		if n != late {
			rest = append(rest, n)
		}
	}
	return late, rest
}

// exits: each in turn leads and is ended in order, under load. Whether it hands its leadership
// over or not, the rest must go on, and it comes back.
func exits(r *run) {
	nodes := r.mixed()
	l := r.startLoad(4, nodes, nodes)
	for round := 0; round < 6; round++ {
		leader := nodes[round%3]
		r.makeLeader(leader, nodes)
		l.progress(40)
		var rest []*node
		for _, n := range nodes {
			if n != leader {
				rest = append(rest, n)
			}
		}
		l.use(rest)
		leader.takeStats()
		start := time.Now()
		r.must(leader.exit())
		r.newLeader(rest, leader)
		r.figure("%v %d ms", leader, time.Since(start).Milliseconds())
		l.progress(20)
		r.must(leader.up())
		r.leaderOf(shard, nodes)
		l.use(nodes)
	}
	l.stop()
	r.converge(shard, nodes)
	l.askAgain(nodes)
}
