// SPDX-License-Identifier: Apache-2.0

package main

import (
	"sync"
	"time"
)

// watch asks all nodes all the time who leads, and holds that against what Raft promises.
type watch struct {
	run     *run
	ending  chan struct{}
	askers  sync.WaitGroup
	mutex   sync.Mutex
	leaders map[uint64]uint64 // by term
	newest  uint64            // term
}

func startWatch(r *run) *watch {
	w := &watch{run: r, ending: make(chan struct{}), leaders: make(map[uint64]uint64)}
	for _, n := range r.nodes {
		n := n
		w.askers.Add(1)
		go func() {
			defer w.askers.Done()
			w.ask(n)
		}()
	}
	return w
}

func (w *watch) stop() {
	close(w.ending)
	w.askers.Wait()
}

func (w *watch) ask(n *node) {
	for round := 0; ; round++ {
		select {
		case <-w.ending:
			return
		case <-time.After(25 * time.Millisecond):
		}
		if w.run.example {
			n.observe()
			continue // its log tells of leaders
		}
		if reply, err := n.call(Request{Cmd: "leader"}); err == nil && reply.Leader != 0 {
			w.heard(n, reply)
		}
		if round%40 == 0 {
			n.observe()
		}
	}
}

// heard notes a leader; a term has one at most.
func (w *watch) heard(n *node, reply *Reply) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if known, ok := w.leaders[reply.Term]; ok && known != reply.Leader {
		w.run.complain("node %v says that %d leads term %d, of which %d was the leader", n, reply.Leader,
			reply.Term, known)
	}
	w.leaders[reply.Term] = reply.Leader
	if reply.Term > w.newest {
		w.newest = reply.Term
	}
}

// leader is the latest one that was heard of; 0 when there was none yet.
func (w *watch) leader() uint64 {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.leaders[w.newest]
}

// elections is how many terms had a leader, and the newest of those terms.
func (w *watch) elections() (int, uint64) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return len(w.leaders), w.newest
}
