// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sync"

	"drumbeat/interop/pipe"
)

// sessions: sessions that one kind registered are used through all nodes; retries of one series,
// one after the other and at once, apply once. A restart of either kind changes nothing.
func sessions(r *run) {
	nodes := r.mixed()
	opener := nodes[2]
	s := r.openSession(shard, opener)
	for i := 0; i < 12; i++ {
		command := pipe.Append("log", fmt.Sprintf("%d;", i))
		r.allAtOnce(s, nodes, command)
		for _, n := range nodes { // and once more, one after the other
			r.must(r.settledError(func() error { _, err := s.once(n, command); return err }))
		}
		if state := r.converge(shard, nodes); state.Count != uint64(i+1) {
			r.fatal("%d commands applied after series %d", state.Count, i+1)
		}
		s.series++
	}
	r.restartAsk(nodes, s)
	r.closeSession(s, nodes)
	for _, n := range nodes {
		late := func() error { _, err := s.once(n, pipe.Append("log", "late")); return err }
		if r.settledError(late) == nil {
			r.complain("node %v took a proposal with a closed session", n)
		}
	}
	if state := r.converge(shard, nodes); state.Count != 13 {
		r.complain("%d commands applied, want 13", state.Count)
	}
}

// closeSession closes it through the first node; then nobody can close it again.
func (r *run) closeSession(s *session, nodes []*node) {
	closing := func(n *node) error {
		_, err := n.call(pipe.Request{Cmd: "close_session", Shard: shard, Client: s.client, Series: s.series, TimeoutMs: 3000})
		return err
	}
	unsure := false // an attempt without an outcome may have closed it
	r.eventually(patience, "the end of the session", func() error {
		err := closing(nodes[0])
		if unsure && didNotHappen(err) {
			return nil
		}
		unsure = unsure || err != nil && !didNotHappen(err)
		return err
	})
	for _, n := range nodes {
		if err := r.settledError(func() error { return closing(n) }); err == nil {
			r.complain("node %v closed the session again", n)
		}
	}
}

// settledError repeats f until its outcome is known, and returns its error.
func (r *run) settledError(f func() error) error {
	var last error
	r.eventually(patience, "an outcome", func() error {
		if last = f(); last == nil || didNotHappen(last) {
			return nil
		}
		return last
	})
	return last
}

// allAtOnce proposes one series through all nodes together; all get the same result.
func (r *run) allAtOnce(s *session, nodes []*node, command pipe.Bytes) {
	var mutex sync.Mutex
	results := make(map[string]int)
	r.each(nodes, func(n *node) error {
		var reply *pipe.Reply
		err := r.settledError(func() (err error) { reply, err = s.once(n, command); return err })
		if err != nil {
			return fmt.Errorf("series %d through node %v: %w", s.series, n, err)
		}
		mutex.Lock()
		defer mutex.Unlock()
		results[fmt.Sprintf("%d %x", reply.Value, reply.Data)]++
		return nil
	})
	if len(results) != 1 {
		r.fatal("one series gave %d results: %v", len(results), results)
	}
	r.count(uint64(len(nodes)), 0)
}

// restartAsk proposes through one node, then kills and restarts each in turn, so that its session
// table comes from its snapshot or log, and asks it for the result again.
func (r *run) restartAsk(nodes []*node, s *session) {
	command := pipe.Append("log", "kept;")
	first, err := s.once(nodes[1], command)
	r.must(err)
	for i, n := range nodes {
		if i > 0 {
			r.snapshotIfAny(n)
		}
		n.takeStats()
		n.kill()
		r.must(n.up())
		r.leaderOf(shard, nodes)
		var again *pipe.Reply
		r.eventually(patience, "a repeated proposal", func() (err error) {
			again, err = s.once(n, command)
			return err
		})
		if again.Value != first.Value || string(again.Data) != string(first.Data) {
			r.complain("node %v gave %d %x first and %d %x after its restart", n, first.Value, first.Data, again.Value, again.Data)
		}
	}
	s.series++
}

// snapshotIfAny takes a snapshot unless there is nothing new since the last one.
func (r *run) snapshotIfAny(n *node) {
	n.call(pipe.Request{Cmd: "snapshot", Shard: shard, CompactionOverhead: 1, TimeoutMs: 20000})
}

// sessionEviction: 4,096 sessions fit; those used least recently leave first, and all replicas
// agree on which, also those that got the table by a snapshot.
func sessionEviction(r *run) {
	const capacity, extra = 4096, 16
	nodes := r.mixed()
	all := r.manySessions(nodes, capacity)
	// Use the oldest ones, so that the next ones are the first to leave.
	for i := 0; i < extra; i++ {
		all[i].propose(nodes[i%3], pipe.Append("log", fmt.Sprintf("%d;", i)))
	}
	late := r.lateFollower(nodes, func(rest []*node) {
		r.manySessions(rest, extra)
		for i := 0; i < extra; i++ {
			all[i].propose(rest[i%2], pipe.Append("log", fmt.Sprintf("again %d;", i)))
		}
	})
	for i := 0; i < extra; i++ {
		all[i].propose(nodes[i%3], pipe.Append("log", "still;"))
		evicted := all[extra+i]
		try := func() error { _, err := evicted.once(nodes[i%3], pipe.Append("log", "evicted;")); return err }
		if r.settledError(try) == nil {
			r.complain("session %d should be evicted", extra+i)
		}
	}
	// A retry and an eviction that the late one decides by itself show in its state.
	all[2*extra].propose(late, pipe.Append("log", "inside;"))
	if state := r.converge(shard, nodes); state.Count != 3*extra+1 {
		r.complain("%d commands applied, want %d", state.Count, 3*extra+1)
	}
}

// manySessions registers sessions in a known order, in small groups; within a group the order is
// left to chance.
func (r *run) manySessions(nodes []*node, number int) []*session {
	const together = 16
	all := make([]*session, number)
	for first := 0; first < number; first += together {
		var group sync.WaitGroup
		for i := first; i < least(first+together, number); i++ {
			group.Add(1)
			go func(i int) {
				defer group.Done()
				defer r.failureToProblem()
				all[i] = r.openSession(shard, nodes[i%len(nodes)])
			}(i)
		}
		group.Wait()
	}
	for _, s := range all {
		if s == nil {
			r.fatal("not all sessions could be registered")
		}
	}
	return all
}

// failureToProblem keeps a failure in a helper goroutine from ending the program.
func (r *run) failureToProblem() {
	if end := recover(); end != nil {
		failed, ok := end.(failure)
		if !ok {
			panic(end)
		}
		r.complain("%s", failed.text)
	}
}

// lateFollower takes down a follower of the kind that does not lead, lets the others work without
// it and cut their logs, so that it needs a snapshot from the leader when it comes back.
func (r *run) lateFollower(nodes []*node, work func(rest []*node)) *node {
	late, rest := r.splitOff(nodes)
	late.takeStats()
	late.kill()
	r.makeLeader(nodes[0], rest)
	r.pause(3) // what is on its way to it now could be all that it misses
	work(rest)
	r.converge(shard, rest) // so that all take theirs at one index
	for _, n := range rest {
		r.snapshot(n)
	}
	r.must(late.up())
	r.gotSnapshot(late, 4*patience)
	r.leaderOf(shard, nodes)
	return late
}
