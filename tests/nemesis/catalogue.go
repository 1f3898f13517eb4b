// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand"
	"syscall"
	"time"
)

// kind is a kind of fault. make fills in what the fault does to the nodes, which come in a random
// order, or with the leader first.
type kind struct {
	name  string
	scope scope
	disk  bool // needs our disks
	asks  bool // asks a node for something, as only interop_node can be
	make  func(s *storm, f *fault, nodes []*node, dice *rand.Rand)
}

// catalogue is every kind of fault; each comes once before any comes again.
var catalogue = []kind{
	{"isolate", links, false, false, makeLinks(silence, func(n []*node) []link { return append(to(n[0], n), from(n[0], n)...) })},
	{"isolate-reset", links, false, false, makeLinks(reset, func(n []*node) []link { return append(to(n[0], n), from(n[0], n)...) })},
	{"deaf", links, false, false, makeLinks(silence, func(n []*node) []link { return to(n[0], n) })},
	{"mute", links, false, false, makeLinks(silence, func(n []*node) []link { return from(n[0], n) })},
	{"one-way", links, false, false, makeLinks(silence, func(n []*node) []link { return []link{{n[0], n[1]}} })},
	{"partial", links, false, false, makeLinks(silence, func(n []*node) []link { return []link{{n[0], n[1]}, {n[1], n[0]}} })},
	{"split-all", traffic, false, false, makeTraffic(silence)},
	{"loss", traffic, false, false, makeTraffic(some)},
	{"flap", links, false, false, makeFlap},
	{"throttle", traffic, false, false, makeThrottle},

	{"pause", anode, false, false, makePause(1)},
	{"pause-two", several, false, false, makePause(2)},
	{"stutter", anode, false, false, makeStutter},
	{"kill", anode, false, false, makeKill(1)},
	{"kill-two", several, false, false, makeKill(2)},
	{"kill-all", several, false, false, makeKill(3)},
	{"kill-ahead", traffic, false, false, makeKillAhead},
	{"stop", anode, false, false, makeStop},
	{"transfer", clocks, false, true, makeRequest("transfer")},
	{"snapshot", clocks, false, true, makeRequest("snapshot")},

	{"clock-jump", clocks, false, false, makeClockJump},
	{"clock-swing", clocks, false, false, makeClockSwing},
	{"files", anode, false, false, makeFiles},

	{"disk-slow", anode, true, false, makeDiskSlow(1)},
	{"disk-slow-all", several, true, false, makeDiskSlow(3)},
	{"disk-stuck", anode, true, false, makeDiskStuck},
	{"disk-full", anode, true, false, makeDiskFull},
	{"disk-sync-fails", anode, true, false, makeDiskFails(func(m *medium) { m.failSyncs = 1 << 30 })},
	{"disk-sync-fails-once", anode, true, false, makeDiskFails(func(m *medium) { m.failSyncs = 1 })},
	{"disk-fails", anode, true, false, makeDiskFails(func(m *medium) { m.failAll = true })},
	{"power-cut", anode, true, false, makePowerCut(1)},
	{"power-cut-two", several, true, false, makePowerCut(2)},
	{"power-cut-all", several, true, false, makePowerCut(3)},
}

func nothing() error { return nil }

// to is what nodes send to n, from what n sends to them.
func to(n *node, nodes []*node) (all []link) {
	for _, other := range nodes {
		if other != n {
			all = append(all, link{other, n})
		}
	}
	return all
}

func from(n *node, nodes []*node) (all []link) {
	for _, l := range to(n, nodes) {
		all = append(all, link{l.to, l.from})
	}
	return all
}

func makeLinks(how loss, choose func([]*node) []link) func(*storm, *fault, []*node, *rand.Rand) {
	return func(s *storm, f *fault, nodes []*node, _ *rand.Rand) {
		broken := choose(nodes)
		f.impaired = nodes[:1]
		f.begin = func() error { return s.network.cutLinks(broken, how) }
		f.end = func() error { return s.network.mendLinks(broken) }
	}
}

func makeTraffic(how loss) func(*storm, *fault, []*node, *rand.Rand) {
	return func(s *storm, f *fault, nodes []*node, _ *rand.Rand) {
		var broken []link
		for _, n := range nodes {
			broken = append(broken, to(n, nodes)...)
		}
		f.impaired = nodes
		f.begin = func() error { return s.network.cutLinks(broken, how) }
		f.end = func() error { return s.network.mendLinks(broken) }
	}
}

// makeFlap takes a node off the network again and again.
func makeFlap(s *storm, f *fault, nodes []*node, dice *rand.Rand) {
	broken := append(to(nodes[0], nodes), from(nodes[0], nodes)...)
	f.impaired = nodes[:1]
	flapping := repeatedly(dice, 20*time.Millisecond, 400*time.Millisecond, func(on bool) error {
		if on {
			return s.network.cutLinks(broken, silence)
		}
		return s.network.mendLinks(broken)
	})
	f.begin, f.end = flapping.begin, flapping.end
}

func makeThrottle(_ *storm, f *fault, nodes []*node, dice *rand.Rand) {
	f.impaired = nodes
	f.begin = func() error { return throttle(128 + dice.Intn(1024)) }
	f.end = func() error { return throttle(0) }
}

func makePause(count int) func(*storm, *fault, []*node, *rand.Rand) {
	return func(_ *storm, f *fault, nodes []*node, _ *rand.Rand) {
		f.nodes, f.impaired = nodes[:count], nodes[:count]
		f.begin = func() error { return each(f.nodes, func(n *node) error { n.signal(syscall.SIGSTOP); return nil }) }
		f.end = func() error { return each(f.nodes, func(n *node) error { n.signal(syscall.SIGCONT); return nil }) }
	}
}

// makeStutter lets a node run for moments only, as one that gets too little of the processor.
func makeStutter(_ *storm, f *fault, nodes []*node, dice *rand.Rand) {
	f.nodes, f.impaired = nodes[:1], nodes[:1]
	stutter := repeatedly(dice, 5*time.Millisecond, 300*time.Millisecond, func(on bool) error {
		if on {
			nodes[0].signal(syscall.SIGSTOP)
		} else {
			nodes[0].signal(syscall.SIGCONT)
		}
		return nil
	})
	f.begin, f.end = stutter.begin, stutter.end
}

func makeKill(count int) func(*storm, *fault, []*node, *rand.Rand) {
	return func(_ *storm, f *fault, nodes []*node, dice *rand.Rand) {
		f.nodes, f.impaired = nodes[:count], nodes[:count]
		f.begin = func() error {
			for _, n := range f.nodes {
				n.strike()
			}
			return each(f.nodes, func(n *node) error { n.kill(); return nil })
		}
		f.end = func() error { return rise(f.nodes, dice) }
	}
}

// makeKillAhead lets one follower fall behind, then kills the leader, which the other one kept up with:
// the one behind has waited longest for a leader, and must not become it.
func makeKillAhead(s *storm, f *fault, nodes []*node, dice *rand.Rand) {
	leader, behind := nodes[0], nodes[2]
	for i, n := range nodes[1:] {
		if n.replica == s.run.watch.leader() {
			leader, behind = n, nodes[i]
		}
	}
	lag := s.run.election()/2 + time.Duration(dice.Int63n(int64(s.run.election())))
	f.nodes, f.impaired = []*node{leader}, []*node{leader, behind}
	f.begin = func() error {
		broken := []link{{leader, behind}}
		// Not silence: the kernel would deliver what it has buffered after the leader's death.
		if err := s.network.cutLinks(broken, reset); err != nil {
			return err
		}
		time.Sleep(lag)
		leader.kill()
		return s.network.mendLinks(broken)
	}
	f.end = func() error { return rise(f.nodes, dice) }
}

func makeStop(_ *storm, f *fault, nodes []*node, dice *rand.Rand) {
	f.nodes, f.impaired = nodes[:1], nodes[:1]
	f.begin = nodes[0].exit
	f.end = func() error { return rise(f.nodes, dice) }
}

// makeRequest is no fault but a disturbance: a transfer of the leadership, or a snapshot with
// nothing left of the log behind it, so that who is behind needs the snapshot.
func makeRequest(name string) func(*storm, *fault, []*node, *rand.Rand) {
	return func(s *storm, f *fault, nodes []*node, _ *rand.Rand) {
		target := nodes[1].replica
		f.begin = func() error {
			go nodes[0].call(Request{Cmd: name, Replica: target, CompactionOverhead: 1, TimeoutMs: 3000})
			return nil
		}
		f.end = nothing
	}
}

func makeClockJump(_ *storm, f *fault, nodes []*node, dice *rand.Rand) {
	jumps := []time.Duration{24 * time.Hour, -24 * time.Hour, 10 * time.Second, -10 * time.Second, 20 * 365 * 24 * time.Hour}
	jump := jumps[dice.Intn(len(jumps))]
	f.begin = func() error { return nodes[0].setClock(jump) }
	f.end = func() error { return nodes[0].setClock(0) }
}

func makeClockSwing(_ *storm, f *fault, nodes []*node, dice *rand.Rand) {
	swing := repeatedly(dice, time.Millisecond, 50*time.Millisecond, func(on bool) error {
		if on {
			return nodes[0].setClock(time.Second)
		}
		return nodes[0].setClock(-time.Second)
	})
	f.begin = swing.begin
	f.end = func() error { return firstError(swing.end(), nodes[0].setClock(0)) }
}

// each calls f for all nodes at once.
func each(nodes []*node, f func(*node) error) error {
	failures := make(chan error, len(nodes))
	for _, n := range nodes {
		go func(n *node) { failures <- f(n) }(n)
	}
	var first error
	for range nodes {
		first = firstError(first, <-failures)
	}
	return first
}

// rise brings nodes up again, in their order and with moments between.
func rise(nodes []*node, dice *rand.Rand) error {
	delays := make(map[*node]time.Duration)
	for _, n := range nodes[1:] {
		delays[n] = time.Duration(dice.Int63n(int64(500 * time.Millisecond)))
	}
	return each(nodes, func(n *node) error {
		time.Sleep(delays[n])
		return n.up()
	})
}

// repeatedly switches something on and off, each for a random time.
func repeatedly(dice *rand.Rand, least, most time.Duration, turn func(on bool) error) *repetition {
	return &repetition{dice: dice, least: least, most: most, turn: turn, ending: make(chan struct{}),
		result: make(chan error, 1)}
}

type repetition struct {
	dice        *rand.Rand
	least, most time.Duration
	turn        func(on bool) error
	ending      chan struct{}
	result      chan error
}

func (r *repetition) begin() error {
	go func() { r.result <- r.work() }()
	return nil
}

func (r *repetition) work() error {
	for on := true; ; on = !on {
		if err := r.turn(on); err != nil {
			return err
		}
		select {
		case <-r.ending:
			return r.turn(false)
		case <-time.After(r.least + time.Duration(r.dice.Int63n(int64(r.most-r.least)))):
		}
	}
}

func (r *repetition) end() error {
	close(r.ending)
	return <-r.result
}
