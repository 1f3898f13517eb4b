// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"drumbeat/interop/pipe"
)

// orderedChanges: with ordered changes a change must name the present configuration; both kinds
// judge that alike, whoever proposes.
func orderedChanges(r *run) {
	r.settings.OrderedConfigChange = true
	nodes := r.mixed()
	for i, n := range nodes {
		member := r.add([]string{r.minor, r.major}[i%2])
		present := r.membership(n).ConfigChangeID
		for _, wrong := range []uint64{present - 1, present + 1} {
			r.refused(n, pipe.Request{Cmd: "add_nonvoting", Replica: member.replica, Address: member.address, ConfigChangeID: wrong})
		}
		r.change(n, pipe.Request{Cmd: "add_nonvoting", Replica: member.replica, Address: member.address, ConfigChangeID: present},
			func(m *pipe.Membership) bool { return m.NonVotings[member.replica] != "" })
		other := nodes[(i+1)%3]
		r.refused(other, pipe.Request{Cmd: "remove", Replica: member.replica, ConfigChangeID: present})
		present = r.membership(other).ConfigChangeID
		r.change(other, pipe.Request{Cmd: "remove", Replica: member.replica, ConfigChangeID: present},
			func(m *pipe.Membership) bool { return m.NonVotings[member.replica] == "" })
	}
	r.converge(shard, nodes)
	if m := r.membership(nodes[0]); len(m.Removed) != 3 || len(m.Voters) != 3 {
		r.complain("the membership is %+v", *m)
	}
}

// churn: under load, members of both kinds come and go, in all roles, leaders too, while others
// are killed. In the end all members agree.
func churn(r *run) {
	r.settings.SnapshotEntries, r.settings.CompactionOverhead = 100, 10
	members := r.found(r.major, r.major, r.minor)
	r.leaderOf(shard, members)
	l := r.startLoad(4, members, members)
	length := time.Minute
	if r.quick {
		length = 20 * time.Second
	}
	for end := time.Now().Add(length); time.Now().Before(end); {
		l.progress(20)
		if len(members) < 4 || len(members) < 5 && r.random.Intn(2) == 0 {
			n := r.enter(members)
			members = with(members, n)
		} else {
			members = r.leave(members, l)
		}
		l.use(members)
		r.killOne(members)
	}
	l.progress(40)
	l.stop()
	r.converge(shard, members)
	l.askAgain(members)
	m := r.membership(members[0])
	r.figure("%d voters, %d removed", len(m.Voters), len(m.Removed))
}

// enter adds a voter of either kind, now and then by way of a non-voting member.
func (r *run) enter(members []*node) *node {
	n := r.add([]string{r.major, r.minor}[r.random.Intn(2)])
	through := members[r.random.Intn(len(members))]
	r.verbosely("enter %v through %v", n, through)
	if r.random.Intn(2) == 0 {
		r.addVoter(through, n)
		r.join(n, "voter")
	} else {
		r.change(through, pipe.Request{Cmd: "add_nonvoting", Replica: n.replica, Address: n.address},
			func(m *pipe.Membership) bool { return m.NonVotings[n.replica] == n.address })
		r.join(n, "nonvoting")
		r.read(shard, n, "")
		r.addVoter(through, n)
	}
	r.read(shard, n, "")
	return n
}

// leave removes any member, through another one.
func (r *run) leave(members []*node, l *load) []*node {
	leaving := members[r.random.Intn(len(members))]
	rest := without(members, leaving)
	l.use(rest)
	through := rest[r.random.Intn(len(rest))]
	r.verbosely("%v leaves through %v", leaving, through)
	r.remove(through, leaving)
	leaving.takeStats()
	leaving.kill() // it may or may not have learned of it
	r.eventually(patience, fmt.Sprintf("life without %v", leaving), func() error {
		leader := r.leaderOf(shard, rest)
		if leader == leaving.replica {
			return fmt.Errorf("it still leads")
		}
		return nil
	})
	return rest
}

// killOne kills and restarts a member.
func (r *run) killOne(members []*node) {
	victim := members[r.random.Intn(len(members))]
	r.verbosely("kill %v", victim)
	victim.takeStats()
	victim.kill()
	r.pause(r.random.Float64() * 2)
	r.must(victim.up())
}
