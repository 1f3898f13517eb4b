// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"drumbeat/interop/pipe"
)

// joinByLog: a replica of the other kind joins a running group of one kind and gets the log from
// its first entry. It then leads, and the group goes on.
func joinByLog(r *run) {
	nodes := r.found(r.major, r.major, r.major)
	r.leaderOf(shard, nodes)
	l := r.startLoad(4, nodes, nodes)
	l.progress(100)
	joiner := r.add(r.minor)
	r.addVoter(nodes[0], joiner)
	r.join(joiner, "voter")
	all := append(nodes, joiner)
	took := r.makeLeader(joiner, all)
	r.figure("led %d ms after it came up", took.Milliseconds())
	l.progress(150)
	l.stop()
	r.converge(shard, all)
	l.askAgain(all)
	if received := r.received(joiner); received != 0 {
		r.complain("it got %d snapshots, not the log", received)
	}
}

func (r *run) received(n *node) uint64 {
	reply, err := n.call(pipe.Request{Cmd: "stats"})
	r.must(err)
	return reply.Stats.SnapshotsReceived
}

// gotSnapshot waits until the node has received a snapshot.
func (r *run) gotSnapshot(n *node, limit time.Duration) {
	r.eventually(limit, fmt.Sprintf("a snapshot at node %v", n), func() error {
		reply, err := n.call(pipe.Request{Cmd: "stats"})
		if err == nil && reply.Stats.SnapshotsReceived == 0 {
			err = fmt.Errorf("none received")
		}
		return err
	})
}

// joinBySnapshot: as joinByLog, but the log was cut. The joiner then leads, cuts its log too, and
// a replica of the first kind joins by the joiner's snapshot.
func joinBySnapshot(r *run) {
	nodes := r.found(r.major, r.major, r.major)
	r.leaderOf(shard, nodes)
	s := r.openSession(shard, nodes[1])
	for i := 0; i < 60; i++ {
		s.propose(nodes[i%3], pipe.Append(fmt.Sprintf("k%d", i%7), text(50, uint64(i))))
	}
	for _, kind := range []string{r.minor, r.major} {
		for _, n := range nodes {
			r.snapshotIfAny(n)
		}
		joiner := r.add(kind)
		r.addVoter(nodes[0], joiner)
		r.join(joiner, "voter")
		r.gotSnapshot(joiner, patience)
		nodes = append(nodes, joiner)
		r.makeLeader(joiner, nodes)
		for i := 0; i < 20; i++ {
			s.propose(nodes[i%len(nodes)], pipe.Append("more", "x"))
		}
		r.converge(shard, nodes)
	}
}

// migration: under load, the replicas of one kind are replaced one by one by those of the other, as
// README.md at the top describes it; after the second one a step is taken back and done again. The
// variant that starts with drumbeat is the way back as a whole.
func migration(r *run) {
	r.settings.SnapshotEntries, r.settings.PreVote = 120, true
	group := r.found(r.major, r.major, r.major)
	r.leaderOf(shard, group)
	l := r.startLoad(6, group, group)
	l.progress(100)
	var slowest time.Duration
	for _, step := range []struct{ from, to string }{
		{r.major, r.minor}, {r.major, r.minor}, {r.minor, r.major}, {r.major, r.minor}, {r.major, r.minor},
	} {
		var took time.Duration
		group, took = r.replaceOne(group, step.from, step.to, l)
		slowest = most(slowest, took)
	}
	l.stop()
	r.converge(shard, group)
	l.askAgain(group)
	r.figure("5 replacements, longest %d ms", slowest.Milliseconds())
	m := r.membership(group[0])
	if len(m.Voters) != 3 || len(m.NonVotings) != 0 || len(m.Removed) != 5 {
		r.complain("the membership is %+v", *m)
	}
	for _, n := range group {
		if n.kind != r.minor {
			r.complain("node %v is still there", n)
		}
	}
}

// replaceOne replaces the first node of one kind by a new one of another, and returns the new group.
func (r *run) replaceOne(group []*node, from, to string, l *load) ([]*node, time.Duration) {
	start := time.Now()
	leaving := firstOfKind(group, from)
	stay := without(group, leaving)
	n := r.add(to)
	r.change(leaving, pipe.Request{Cmd: "add_nonvoting", Replica: n.replica, Address: n.address},
		func(m *pipe.Membership) bool { return m.NonVotings[n.replica] == n.address })
	r.join(n, "nonvoting")
	r.read(shard, n, "") // linearizable, so it has caught up
	r.addVoter(stay[0], n)
	group = with(stay, n)
	r.makeLeader(n, with(group, leaving))
	l.use(group)
	l.progress(40)
	r.remove(n, leaving)
	leaving.takeStats()
	r.must(leaving.exit())
	r.leaderOf(shard, group)
	l.progress(40)
	r.keepUp(group)
	return group, time.Since(start)
}

// keepUp waits until each node has applied what any of them has applied by now.
func (r *run) keepUp(nodes []*node) {
	var newest uint64
	for _, n := range nodes {
		newest = most(newest, r.state(shard, n).Index)
	}
	for _, n := range nodes {
		r.eventually(patience, fmt.Sprintf("index %d at node %v", newest, n), func() error {
			if now := r.state(shard, n).Index; now < newest {
				return fmt.Errorf("it is at %d", now)
			}
			return nil
		})
	}
}

func firstOfKind(nodes []*node, kind string) *node {
	for _, n := range nodes {
		if n.kind == kind {
			return n
		}
	}
	return nil
}

// membershipChanges: additions, removals and refusals through either kind; all replicas agree on
// the members, on the id of the last change and on who was removed.
func membershipChanges(r *run) {
	nodes := r.mixed()
	s := r.openSession(shard, nodes[0])
	group := nodes
	for round, kind := range []string{r.minor, r.major} {
		n := r.add(kind)
		through := nodes[1+round]
		r.addVoter(through, n)
		r.refusals(through, n)
		r.join(n, "voter")
		group = append(group, n)
		r.leaderOf(shard, group)
		s.propose(n, pipe.Append("a", "x"))
		r.converge(shard, group)
		r.remove(nodes[2-round], n)
		group = group[:3]
		r.gone(n)
		s.propose(nodes[0], pipe.Append("a", "y"))
		r.converge(shard, group)
		r.refused(through, pipe.Request{Cmd: "add", Replica: n.replica, Address: n.address})
	}
	r.removeLeader(group, s)
}

// refusals asks for changes that the replicated rules forbid.
func (r *run) refusals(through, member *node) {
	before := fmt.Sprint(*r.membership(through))
	r.refused(through, pipe.Request{Cmd: "add", Replica: member.replica, Address: member.address})
	r.refused(through, pipe.Request{Cmd: "add", Replica: 77, Address: member.address})
	r.refused(through, pipe.Request{Cmd: "add_nonvoting", Replica: member.replica, Address: member.address})
	r.refused(through, pipe.Request{Cmd: "add_witness", Replica: member.replica, Address: member.address})
	if after := fmt.Sprint(*r.membership(through)); after != before {
		r.complain("refused changes changed %s to %s", before, after)
	}
}

// refused asks until the answer is a refusal by rule, not one by circumstances.
func (r *run) refused(through *node, request pipe.Request) {
	request.Shard, request.TimeoutMs = shard, 3000
	r.eventually(patience, "a refusal of "+request.Cmd, func() error {
		_, err := through.call(request)
		if err == nil {
			r.fatal("node %v took %s %d %s", through, request.Cmd, request.Replica, request.Address)
		}
		if didNotHappen(err) {
			return nil
		}
		return err
	})
}

// gone waits until the node no longer has its removed replica, and ends it. A replica that misses
// the last commit before it is forgotten never learns of its removal; that is no error.
func (r *run) gone(n *node) {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := n.call(pipe.Request{Cmd: "leader", Shard: shard}); err != nil {
			break
		}
		if time.Now().After(deadline) {
			r.figure("%v never learned of its removal", n)
			break
		}
	}
	n.takeStats()
	r.must(n.exit())
}

// removeLeader removes the leading replica; the two that stay elect one of them and go on.
func (r *run) removeLeader(group []*node, s *session) {
	r.makeLeader(group[0], group)
	r.remove(group[1], group[0])
	r.gone(group[0])
	rest := group[1:]
	r.leaderOf(shard, rest)
	s.propose(rest[0], pipe.Append("a", "z"))
	s.propose(rest[1], pipe.Append("a", "z"))
	r.converge(shard, rest)
}

// nonVoting: non-voting members of either kind get the log, serve reads and proposals, and are
// promoted.
func nonVoting(r *run) {
	nodes := r.mixed()
	l := r.startLoad(4, nodes, nodes)
	all := nodes
	for _, kind := range []string{r.minor, r.major} {
		n := r.add(kind)
		r.change(nodes[1], pipe.Request{Cmd: "add_nonvoting", Replica: n.replica, Address: n.address},
			func(m *pipe.Membership) bool { return m.NonVotings[n.replica] == n.address })
		r.join(n, "nonvoting")
		all = append(all, n)
		s := r.openSession(shard, n)
		s.propose(n, pipe.Put("by", "a non-voting member"))
		r.read(shard, n, "by")
		r.addVoter(nodes[2], n)
		l.progress(50)
		r.makeLeader(n, all)
		l.progress(50)
		n.takeStats()
		n.kill() // it must come back as what it was promoted to
		r.must(n.up())
		r.leaderOf(shard, all)
	}
	l.stop()
	r.converge(shard, all)
	l.askAgain(all)
}

// witness: a witness of either kind votes and counts, but keeps no state; with it and one full
// replica down the group goes on. The second one finds the log cut and gets a witness snapshot.
func witness(r *run) {
	nodes := r.mixed()
	for round, kind := range []string{r.minor, r.major} {
		if round > 0 {
			for _, n := range nodes {
				r.snapshot(n)
			}
		}
		w := r.add(kind)
		r.change(nodes[1], pipe.Request{Cmd: "add_witness", Replica: w.replica, Address: w.address},
			func(m *pipe.Membership) bool { return m.Witnesses[w.replica] == w.address })
		r.join(w, "witness")
		s := r.openSession(shard, nodes[0])
		for i := 0; i < 20; i++ {
			s.propose(nodes[i%3], pipe.Append("a", "x"))
		}
		if round > 0 {
			r.gotSnapshot(w, patience)
		} else if received := r.received(w); received > 0 {
			r.complain("witness %v received %d snapshots, not the log", w, received)
		}
		r.withoutOne(nodes, w, s)
		r.change(nodes[0], pipe.Request{Cmd: "remove", Replica: w.replica},
			func(m *pipe.Membership) bool { return m.Witnesses[w.replica] == "" })
		w.takeStats()
		r.must(w.exit())
		r.converge(shard, nodes)
	}
}

// withoutOne kills the leader: of four members the witness makes the quorum of three.
func (r *run) withoutOne(nodes []*node, w *node, s *session) {
	nodes[0].takeStats()
	nodes[0].kill()
	rest := nodes[1:]
	r.leaderOf(shard, rest)
	for i := 0; i < 10; i++ {
		s.propose(rest[i%2], pipe.Append("a", "y"))
	}
	w.takeStats()
	w.kill()
	r.must(w.up())
	r.must(nodes[0].up())
	r.leaderOf(shard, nodes)
	r.converge(shard, nodes)
}
