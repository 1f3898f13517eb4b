// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"
)

const (
	// electionsToRecover is how soon everything must work again after the last fault, P6.
	electionsToRecover = 10
	// patience is how long to wait at most for what comes too late, so that a run says how late.
	patience = 60 * time.Second
	// sample is how many of the earlier rounds' keys each round reads again.
	sample = 100
)

// kept is a key of an earlier round, which nobody writes any more. With a write of unknown outcome
// in its history, that write may still come; then the whole history is kept.
type kept struct {
	last    operation // a read
	history []operation
}

// judge holds what clients saw in a round, and what replicas hold at its end, against the promises.
type judge struct {
	run  *run
	kept map[string]*kept
}

// awaitAnswers waits until each replica did a write and a read of its own, which it must within ten
// election timeouts of the last repair. No fault is active; the clients may be at work.
func (j *judge) awaitAnswers(round int) error {
	begin := time.Now()
	return j.within("answers of all replicas", begin, func(n *node) error {
		key, value := fmt.Sprintf("marker-%d-%v", round, n), fmt.Sprint(round)
		_, err := n.call(Request{Cmd: "propose", Command: command(opPut, key, value), TimeoutMs: 1000})
		if err != nil {
			return err
		}
		reply, err := n.call(Request{Cmd: "read", Key: key, TimeoutMs: 1000})
		if err == nil && string(reply.Content) != value {
			j.run.complain("node %v: read %q of %s after a write of %q", n, reply.Content, key, value)
		}
		return err
	})
}

// within lets each node attempt f until it succeeds; late is a complaint, never an error.
func (j *judge) within(what string, begin time.Time, f func(*node) error) error {
	var attempts sync.WaitGroup
	failures := make([]error, len(j.run.nodes))
	for i, n := range j.run.nodes {
		i, n := i, n
		attempts.Add(1)
		go func() {
			defer attempts.Done()
			failures[i] = eventually(patience, func() error { return f(n) })
		}()
	}
	attempts.Wait()
	for i, err := range failures {
		if err != nil {
			n := j.run.nodes[i]
			return fmt.Errorf("%s: node %v: not within %v: %w\n%s", what, n, patience, err, n.logTail())
		}
	}
	j.onTime(what, time.Since(begin))
	return nil
}

func (j *judge) onTime(what string, took time.Duration) {
	j.run.figures.longest(what, took)
	if limit := electionsToRecover * j.run.election(); took > limit {
		j.run.complain("%s: only after %v; promised: %v", what, took, limit)
	}
}

// round judges a round; the clients rest. An error: it can't go on.
func (j *judge) round(l *load) error {
	if err := j.readAll(l); err != nil {
		return err
	}
	state, err := j.equalStates()
	if err != nil {
		return err
	}
	if err := j.askAgain(l, state); err != nil {
		return err
	}
	j.run.figures.add("histories", len(l.keys))
	if err := checkLinearizable(l.history); err != nil {
		j.run.complain("%v", err)
	}
	j.keep(l)
	return j.readKept(sample)
}

// readAll reads the round's keys for a last time, each through some node, as part of the history.
func (j *judge) readAll(l *load) error {
	for i, key := range sortedKeys(l.keys) {
		op, err := j.read(i, key)
		if err != nil {
			return err
		}
		l.note(*op)
	}
	return nil
}

func (j *judge) read(i int, key string) (*operation, error) {
	n := j.run.nodes[i%len(j.run.nodes)]
	op := &operation{client: 1000 + i%len(j.run.nodes), kind: get, key: key, known: true}
	err := eventually(patience, func() error {
		op.call = time.Now()
		reply, err := n.call(Request{Cmd: "read", Key: key, TimeoutMs: 1000})
		if err == nil {
			op.end, op.found, op.content = time.Now(), reply.Found, string(reply.Content)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read of %s through node %v: %w\n%s", key, n, err, n.logTail())
	}
	return op, nil
}

// equalStates waits until all replicas hold the same state, down to the order of the commands.
func (j *judge) equalStates() (State, error) {
	begin := time.Now()
	var state State
	err := eventually(patience, func() error {
		var lines []string
		equal := true
		for i, n := range j.run.nodes {
			reply, err := n.call(Request{Cmd: "state"})
			if err != nil {
				return err
			}
			if i == 0 {
				state = *reply.State
			}
			equal = equal && *reply.State == state
			lines = append(lines, fmt.Sprintf("node %v: %+v", n, *reply.State))
		}
		if !equal {
			return errors.New("states differ: " + strings.Join(lines, "; "))
		}
		return nil
	})
	if err == nil {
		j.onTime("equal states", time.Since(begin))
	}
	return state, err
}

// askAgain proposes each session's last settled proposal again, once through each node.
func (j *judge) askAgain(l *load, before State) error {
	for id, s := range l.settled {
		for _, n := range j.run.nodes {
			var reply *Reply
			err := eventually(patience, func() (err error) {
				reply, err = n.call(Request{Cmd: "propose", Client: s.client, Series: s.series,
					Command: s.command, TimeoutMs: 1000})
				return err
			})
			if err != nil {
				return fmt.Errorf("a repeated proposal: %w", err)
			}
			if reply.Value != s.value || string(reply.Data) != s.data {
				j.run.complain("client %d series %d gave %d %x first and %d %x when repeated through node %v",
					id, s.series, s.value, s.data, reply.Value, reply.Data, n)
			}
			j.run.figures.add("repeated", 1)
		}
	}
	after, err := j.equalStates()
	if err == nil && after != before && !l.hasUnknown() { // an unknown write may come at any time
		j.run.complain("repeated proposals changed the state: %+v, then %+v", before, after)
	}
	return err
}

// keep remembers the round's keys.
func (j *judge) keep(l *load) {
	open := make(map[string]bool)
	for _, op := range l.history {
		open[op.key] = open[op.key] || !op.known
	}
	for _, op := range l.history {
		k := j.kept[op.key]
		if k == nil {
			k = &kept{}
			j.kept[op.key] = k
		}
		if op.kind == get && op.known && op.end.After(k.last.end) {
			k.last = op
		}
		if open[op.key] {
			k.history = append(k.history, op)
		}
	}
}

// readKept reads up to `most` keys of all rounds: nothing that was acknowledged may be lost.
func (j *judge) readKept(most int) error {
	keys := make(map[string]bool)
	for key := range j.kept { // in no order
		if len(keys) == most {
			break
		}
		keys[key] = true
	}
	for i, key := range sortedKeys(keys) {
		op, err := j.read(i, key)
		if err != nil {
			return err
		}
		k := j.kept[key]
		j.run.figures.add("read again", 1)
		if op.found == k.last.found && op.content == k.last.content {
			continue
		}
		if k.history == nil {
			j.run.complain("key %s was %q (%t), and later %q (%t)", key, k.last.content, k.last.found,
				op.content, op.found)
			continue
		}
		k.history, k.last = append(k.history, *op), *op
		if err := checkLinearizable(k.history); err != nil {
			j.run.complain("%v", err)
		}
	}
	return nil
}

func sortedKeys(set map[string]bool) []string {
	var keys []string
	for key := range set {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
