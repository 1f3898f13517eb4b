// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"drumbeat/interop/pipe"
)

// session is a registered client session, usable through any node.
type session struct {
	run    *run
	shard  uint64
	client uint64
	series uint64 // of the next proposal
}

// openSession registers a session through n.
func (r *run) openSession(id uint64, n *node) *session {
	s := &session{run: r, shard: id, series: 1}
	r.eventually(patience, "a session", func() error {
		reply, err := n.call(pipe.Request{Cmd: "open_session", Shard: id, TimeoutMs: 3000})
		if err == nil {
			s.client = reply.Client
		}
		return err
	})
	return s
}

// once proposes the present series one time, through n.
func (s *session) once(n *node, command pipe.Bytes) (*pipe.Reply, error) {
	return n.call(pipe.Request{Cmd: "propose", Shard: s.shard, Client: s.client, Series: s.series,
		Command: command, TimeoutMs: 3000})
}

// propose proposes through n until it is done, and moves on to the next series.
func (s *session) propose(n *node, command pipe.Bytes) *pipe.Reply {
	var reply *pipe.Reply
	s.run.eventually(patience, fmt.Sprintf("a proposal through node %v", n), func() (err error) {
		reply, err = s.once(n, command)
		return err
	})
	s.series++
	s.run.count(1, 0)
	return reply
}

// read is a linearizable read through n, tried until it succeeds.
func (r *run) read(id uint64, n *node, key string) *pipe.Reply {
	var reply *pipe.Reply
	r.eventually(patience, fmt.Sprintf("a read through node %v", n), func() (err error) {
		reply, err = n.call(pipe.Request{Cmd: "read", Shard: id, Key: key, TimeoutMs: 3000})
		return err
	})
	r.count(1, 0)
	return reply
}

// state is what n's replica holds, without asking others.
func (r *run) state(id uint64, n *node) pipe.State {
	reply, err := n.call(pipe.Request{Cmd: "state", Shard: id})
	r.must(err)
	return *reply.State
}

// membership asks n for the members until it gets them.
func (r *run) membership(n *node) *pipe.Membership {
	var reply *pipe.Reply
	r.eventually(patience, fmt.Sprintf("the membership through node %v", n), func() (err error) {
		reply, err = n.call(pipe.Request{Cmd: "membership", Shard: shard, TimeoutMs: 3000})
		return err
	})
	return reply.Membership
}

// change makes a membership change through n, again after outcomes that allow it. An unknown
// outcome is settled by looking at the membership.
func (r *run) change(n *node, request pipe.Request, holds func(*pipe.Membership) bool) {
	request.Shard, request.TimeoutMs = shard, 3000
	r.eventually(patience, fmt.Sprintf("%s %d through node %v", request.Cmd, request.Replica, n), func() error {
		_, err := n.call(request)
		if err != nil && holds(r.membership(n)) {
			return nil
		}
		return err
	})
}

func (r *run) addVoter(through, n *node) {
	r.change(through, pipe.Request{Cmd: "add", Replica: n.replica, Address: n.address},
		func(m *pipe.Membership) bool { return m.Voters[n.replica] == n.address })
}

func (r *run) remove(through, n *node) {
	r.change(through, pipe.Request{Cmd: "remove", Replica: n.replica},
		func(m *pipe.Membership) bool { _, is := m.Voters[n.replica]; return !is })
}

// join brings n up as a member that was added before.
func (r *run) join(n *node, role string) {
	r.must(n.up())
	settings := r.settings
	settings.Shard, settings.Join, settings.Role = shard, true, role
	if role == "witness" {
		settings.SnapshotEntries, settings.CompactionOverhead = 0, 0
	}
	r.must(n.start(settings))
}

// converge waits until all nodes hold the same state and membership of the shard, and returns the
// state. Nothing may be proposed meanwhile.
func (r *run) converge(id uint64, nodes []*node) pipe.State {
	return r.convergeWithin(patience, id, nodes)
}

func (r *run) convergeWithin(limit time.Duration, id uint64, nodes []*node) pipe.State {
	var states []pipe.State
	r.eventually(limit, fmt.Sprintf("equal states of shard %d", id), func() error {
		states = states[:0]
		for _, n := range nodes {
			// A confirmed read first: whoever lags or has no leader does not count as equal.
			if _, err := n.call(pipe.Request{Cmd: "read", Shard: id, TimeoutMs: 2000}); err != nil {
				return fmt.Errorf("node %v: %w", n, err)
			}
		}
		for _, n := range nodes {
			reply, err := n.call(pipe.Request{Cmd: "state", Shard: id})
			if err != nil {
				return fmt.Errorf("node %v: %w", n, err)
			}
			states = append(states, *reply.State)
		}
		for _, s := range states {
			if s != states[0] {
				return errors.New(differences(nodes, states))
			}
		}
		return nil
	})
	if id == shard {
		r.equalMemberships(nodes)
	}
	return states[0]
}

func differences(nodes []*node, states []pipe.State) string {
	var lines []string
	for i, n := range nodes {
		lines = append(lines, fmt.Sprintf("node %v: %+v", n, states[i]))
	}
	return strings.Join(lines, "; ")
}

func (r *run) equalMemberships(nodes []*node) {
	first := fmt.Sprintf("%+v", *r.membership(nodes[0]))
	for _, n := range nodes[1:] {
		if other := fmt.Sprintf("%+v", *r.membership(n)); other != first {
			r.fatal("memberships differ: node %v: %s; node %v: %s", nodes[0], first, n, other)
		}
	}
}

// snapshot takes a snapshot through n and cuts its log there.
func (r *run) snapshot(n *node) uint64 {
	var index uint64
	r.eventually(4*patience, fmt.Sprintf("a snapshot of node %v", n), func() error {
		reply, err := n.call(pipe.Request{Cmd: "snapshot", Shard: shard, CompactionOverhead: 1, TimeoutMs: 60000})
		if err == nil {
			index = reply.Index
		}
		return err
	})
	return index
}

// pause waits for something that no reply tells of; it is no substitute for eventually.
func (r *run) pause(elections float64) { time.Sleep(time.Duration(elections * float64(r.election()))) }
