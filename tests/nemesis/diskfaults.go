// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand"
	"time"
)

// makeFiles leaves a node hardly any file descriptors, and breaks its connections, so that it needs
// some.
func makeFiles(s *storm, f *fault, nodes []*node, dice *rand.Rand) {
	victim, more := nodes[0], dice.Intn(4)
	all := append(to(victim, nodes), from(victim, nodes)...)
	f.nodes, f.impaired, f.mayEnd = nodes[:1], nodes[:1], true
	f.begin = func() error {
		if err := firstError(victim.limitFiles(more), s.network.cutLinks(all, reset)); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
		return s.network.mendLinks(all)
	}
	f.end = func() error { return victim.limitFiles(-1) }
}

// mend restarts a node whose host ended because of the fault.
func (s *storm) mend(n *node) error {
	if n.healthy() {
		return nil
	}
	if n.console == nil && !n.allowedToEnd() {
		s.run.complain("node %v ended its host for no reason\n%s", n, n.logTail())
	}
	s.run.figures.add("hosts ended", 1)
	s.run.verbosely("node %v ended its host", n)
	n.kill()
	return n.up()
}

func makeDiskSlow(count int) func(*storm, *fault, []*node, *rand.Rand) {
	return func(_ *storm, f *fault, nodes []*node, dice *rand.Rand) {
		delay := time.Duration(10+dice.Intn(490)) * time.Millisecond
		f.nodes, f.impaired = nodes[:count], nodes[:count]
		set := func(delay time.Duration) error {
			return each(f.nodes, func(n *node) error {
				n.disk.medium.set(func() { n.disk.medium.syncDelay = delay })
				return nil
			})
		}
		f.begin = func() error { return set(delay) }
		f.end = func() error { return set(0) }
	}
}

func makeDiskStuck(_ *storm, f *fault, nodes []*node, _ *rand.Rand) {
	m := nodes[0].disk.medium
	f.nodes, f.impaired = nodes[:1], nodes[:1]
	f.begin = func() error { m.set(func() { m.stuck = true }); return nil }
	f.end = func() error { m.set(func() { m.stuck = false }); return nil }
}

func makeDiskFull(_ *storm, f *fault, nodes []*node, _ *rand.Rand) {
	f.nodes, f.impaired, f.mayEnd = nodes[:1], nodes[:1], true
	f.begin = nodes[0].disk.fill
	f.end = nodes[0].disk.empty
}

// makeDiskFails breaks a disk. Its node is restarted in any case, on the disk repaired: what was
// written after the last successful sync is there, or not, or in parts.
func makeDiskFails(fail func(*medium)) func(*storm, *fault, []*node, *rand.Rand) {
	return func(s *storm, f *fault, nodes []*node, dice *rand.Rand) {
		victim := nodes[0]
		f.nodes, f.impaired, f.mayEnd = nodes[:1], nodes[:1], true
		f.begin = func() error {
			victim.disk.medium.set(func() { fail(victim.disk.medium) })
			return nil
		}
		f.end = func() error {
			s.judgeFailedSyncs(victim)
			if !victim.healthy() {
				s.run.figures.add("hosts ended", 1)
			}
			return s.loseAndRestart(f.nodes, dice)
		}
	}
}

// judgeFailedSyncs: a host that was told that a sync failed ends; if the file system was told, it takes
// no more writes, and the host ends at its next one. Which a node that nobody reaches need not make.
func (s *storm) judgeFailedSyncs(n *node) {
	refused := n.disk.medium.refusedSyncs()
	if refused == 0 || len(s.active) > 1 {
		return
	}
	err := eventually(answerTime, func() error {
		if n.healthy() {
			return fmt.Errorf("it serves")
		}
		return nil
	})
	if err != nil {
		s.run.complain("node %v goes on after %d failed syncs\n%s", n, refused, n.logTail())
		return
	}
	s.run.figures.add("ended after a failed sync", 1)
}

// makePowerCut takes the power of the nodes and their disks away, all at one moment.
func makePowerCut(count int) func(*storm, *fault, []*node, *rand.Rand) {
	return func(s *storm, f *fault, nodes []*node, dice *rand.Rand) {
		f.nodes, f.impaired, f.mayEnd = nodes[:count], nodes[:count], true
		f.begin = func() error { return s.cutPower(f.nodes, dice) }
		f.end = func() error { return s.returnPower(f.nodes, dice) }
	}
}

// cutPower loses what the disks have not synced, then ends the processes, which can't write or sync
// any more in between.
func (s *storm) cutPower(nodes []*node, dice *rand.Rand) error {
	survival := []float64{0, 0, 0.3, 0.7}[dice.Intn(4)]
	for _, n := range nodes {
		n.disk.cut(survival, dice)
	}
	for _, n := range nodes {
		n.strike()
	}
	return each(nodes, func(n *node) error {
		n.disk.medium.die()
		n.kill()
		return nil
	})
}

func (s *storm) returnPower(nodes []*node, dice *rand.Rand) error {
	if err := each(nodes, func(n *node) error { return n.disk.restart() }); err != nil {
		return err
	}
	return rise(nodes, dice)
}

func (s *storm) loseAndRestart(nodes []*node, dice *rand.Rand) error {
	return firstError(s.cutPower(nodes, dice), s.returnPower(nodes, dice))
}
