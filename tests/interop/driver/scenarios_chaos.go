// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"drumbeat/interop/pipe"
)

// chaos: faults drawn from the seed, one after the other and sometimes two at once, under load.
// Then everything is repaired, and nothing may be lost, doubled or different.
func chaos(r *run) {
	r.settings.SnapshotEntries, r.settings.CompactionOverhead = 150, 10
	coin := func() bool { return r.random.Intn(2) == 0 }
	r.settings.PreVote = coin()
	entries := map[string]bool{r.minor: coin(), r.major: coin()}
	images := map[string]bool{r.minor: coin(), r.major: coin()}
	r.adjust = func(n *node, start *pipe.Request) {
		start.EntryCompression, start.SnapshotCompression = entries[n.kind], images[n.kind]
	}
	nodes := r.found(r.major, r.major, r.minor)
	r.leaderOf(shard, nodes)
	l := r.startLoad(6, nodes, nodes)
	l.progress(60)
	c := &storm{run: r, nodes: nodes, load: l, done: make(map[string]int)}
	for end := time.Now().Add(r.duration); time.Now().Before(end); {
		c.fault()
		time.Sleep(c.some(50, 1200))
		if r.random.Intn(3) == 0 {
			c.fault()
			time.Sleep(c.some(50, 600))
		}
		c.repair()
		time.Sleep(c.some(100, 1000))
	}
	var summary []string
	for name, times := range c.done {
		summary = append(summary, fmt.Sprintf("%s %d", name, times))
	}
	sort.Strings(summary)
	r.figure("pre-vote %t; %s", r.settings.PreVote, strings.Join(summary, ", "))
	l.progress(60)
	l.stop()
	r.converge(shard, c.nodes)
	l.askAgain(c.nodes)
}

// storm makes faults and repairs them.
type storm struct {
	run    *run
	nodes  []*node // the members
	load   *load
	down   []*node
	frozen []*node
	done   map[string]int
}

func (c *storm) some(least, most int) time.Duration {
	return time.Duration(least+c.run.random.Intn(most-least)) * time.Millisecond
}

func (c *storm) anyone() *node { return c.nodes[c.run.random.Intn(len(c.nodes))] }

func (c *storm) how() loss { return []loss{drop, reset}[c.run.random.Intn(2)] }

func (c *storm) fault() {
	type kind struct {
		name string
		make func()
	}
	kinds := []kind{
		{"kill", func() { c.kill(c.anyone()) }},
		{"kill-two", func() { c.kill(c.anyone()); c.kill(c.anyone()) }},
		{"kill-all", func() {
			for _, n := range c.nodes {
				c.kill(n)
			}
		}},
		{"freeze", func() { n := c.anyone(); n.freeze(); c.frozen = append(c.frozen, n) }},
		{"transfer", func() {
			// Not waited for, as the one below: a frozen node would not answer, and stay frozen meanwhile.
			go c.anyone().call(pipe.Request{Cmd: "transfer", Shard: shard, Replica: c.anyone().replica, TimeoutMs: 500})
		}},
		{"snapshot", func() {
			go c.anyone().call(pipe.Request{Cmd: "snapshot", Shard: shard, CompactionOverhead: 1, TimeoutMs: 3000})
		}},
	}
	if c.run.network.filters {
		all := func(a, b *node) bool { return true }
		kinds = append(kinds,
			kind{"isolate", func() { c.run.isolate(c.anyone(), c.nodes, c.how()) }},
			kind{"split-kinds", func() {
				c.run.split(c.nodes, func(a, b *node) bool { return a.kind != b.kind }, c.how())
			}},
			kind{"split-all", func() { c.run.split(c.nodes, all, c.how()) }},
			kind{"one-way", func() { c.run.must(c.run.network.block(c.anyone(), c.anyone(), c.how())) }})
	}
	chosen := kinds[c.run.random.Intn(len(kinds))]
	c.run.verbosely("%s", chosen.name)
	c.done[chosen.name]++
	chosen.make()
}

func (c *storm) kill(n *node) {
	if !contains(c.down, n) {
		if !contains(c.frozen, n) {
			n.takeStats()
		}
		n.kill()
		c.down = append(c.down, n)
	}
}

func (c *storm) repair() {
	for _, n := range c.frozen {
		n.thaw()
	}
	c.run.must(c.run.network.heal())
	c.run.each(c.down, (*node).up)
	c.down, c.frozen = nil, nil
}
