// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand"
	"strings"
	"time"
)

// scope says what a fault takes hold of: two that need the same never come together.
type scope int

const (
	links   scope = iota // connections; any other fault may come beside it
	clocks               // a node's clock; the same
	anode                // the process or disk of one node
	several              // those of several nodes
	traffic              // all connections at once
)

// fault is one fault, of the nodes it was made for.
type fault struct {
	name     string
	scope    scope
	nodes    []*node // whose processes or disks it takes
	impaired []*node // who may be of no use to the others meanwhile
	mayEnd   bool    // the nodes may end by themselves
	begin    func() error
	end      func() error
}

// step is what the seed decided for the next moments.
type step struct {
	first, second int   // kinds; second negative: none
	order         []int // of the nodes, for the first
	second2       []int // and for the second
	atLeader      bool  // the first hits the leader of the time
	hold, between time.Duration
	rest          time.Duration
	dice          int64
}

// storm makes faults and repairs them. One goroutine.
type storm struct {
	run     *run
	network *network
	random  *rand.Rand // decides the schedule: drawn from in a fixed order, whatever happens
	kinds   []kind
	deck    []int // kinds that are still to come before any comes again
	active  []*fault
}

func newStorm(r *run) *storm {
	s := &storm{run: r, network: &network{broken: make(map[link]loss)}, random: rand.New(rand.NewSource(r.seed))}
	for _, k := range r.wanted() {
		if (!k.disk || r.disks) && k.possible() {
			s.kinds = append(s.kinds, k)
		}
	}
	return s
}

// wanted is the kinds of the command line, of those that the program knows.
func (r *run) wanted() (kinds []kind) {
	for _, k := range catalogue {
		named := r.only == "" || strings.Contains(","+r.only+",", ","+k.name+",")
		if named && !(k.asks && r.example) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// longRun is long enough for each kind to come: the example's share of 30 minutes, about twice what all
// kinds take one after the other.
const longRun = 10 * time.Minute

// demandAll complains when a long run has not made all that this machine can.
func (s *storm) demandAll() {
	r := s.run
	if r.cuts > 0 || r.duration < longRun || len(r.problems) > 0 {
		return
	}
	if missing := r.figures.notReached(s.kinds); len(missing) > 0 {
		r.complain("kinds not reached in %v: %s", r.duration, strings.Join(missing, ", "))
	}
}

// possible tells whether this machine can make faults of the kind, and says so when not.
func (k kind) possible() bool {
	if k.name != "throttle" {
		return true
	}
	err := firstError(throttle(1000), throttle(0))
	if err != nil {
		fmt.Printf("\n*** nemesis: SKIPPED, no faults of kind %s: %v ***\n\n", k.name, err)
	}
	return err == nil
}

func (s *storm) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.random.Int63n(int64(most-least)))
}

// next draws a step. Most faults last less than a few elections, some longer.
func (s *storm) next() step {
	if len(s.deck) == 0 {
		s.deck = s.random.Perm(len(s.kinds))
	}
	t := step{first: s.deck[0], second: -1, order: s.random.Perm(3), second2: s.random.Perm(3),
		atLeader: s.random.Intn(2) == 0, dice: s.random.Int63()}
	s.deck = s.deck[1:]
	if second := s.random.Intn(len(s.kinds)); s.random.Intn(3) == 0 {
		t.second = second
	}
	unit := s.run.election()
	if unit > time.Second {
		unit = time.Second // more faults, although fewer elections
	}
	t.hold = s.between(50*time.Millisecond, 5*unit)
	least, most := 10*unit, 16*unit // longer than the judge lets anybody wait
	if unit < s.run.election() {
		least, most = 5*unit, 15*unit // where that is not too long
	}
	if long := s.between(least, most); s.random.Intn(8) == 0 {
		t.hold = long
	}
	t.between = s.between(0, t.hold)
	t.rest = s.between(50*time.Millisecond, 3*unit)
	return t
}

// play makes the step's faults, holds them, and repairs them.
func (s *storm) play(t step) error {
	first := s.make(t.first, t.order, t.atLeader, t.dice)
	if err := s.start(first); err != nil {
		return err
	}
	if t.second >= 0 {
		second := s.make(t.second, t.second2, false, t.dice+1)
		if compatible(first, second) {
			time.Sleep(t.between)
			if err := s.start(second); err != nil {
				return err
			}
		}
	}
	time.Sleep(t.hold)
	if err := s.repair(); err != nil {
		return err
	}
	time.Sleep(t.rest)
	return nil
}

// make fits a fault to its nodes; at the leader, the leader is the first of them.
func (s *storm) make(kind int, order []int, atLeader bool, dice int64) *fault {
	nodes := make([]*node, 3)
	for i, place := range order {
		nodes[i] = s.run.nodes[place]
	}
	if leader := s.run.watch.leader(); atLeader && leader != 0 {
		for i, n := range nodes {
			if n.replica == leader {
				nodes[0], nodes[i] = nodes[i], nodes[0]
			}
		}
	}
	k := s.kinds[kind]
	f := &fault{name: k.name, scope: k.scope}
	k.make(s, f, nodes, rand.New(rand.NewSource(dice)))
	return f
}

func compatible(a, b *fault) bool {
	if a.scope == traffic || b.scope == traffic || a.scope == links && b.scope == links || a.name == b.name {
		return false
	}
	for _, one := range a.nodes {
		for _, other := range b.nodes {
			if one == other {
				return false
			}
		}
	}
	return true
}

func (s *storm) start(f *fault) error {
	s.run.verbosely("%s %v", f.name, f.impaired)
	s.run.figures.add("fault:"+f.name, 1)
	s.active = append(s.active, f)
	s.tell()
	if f.mayEnd {
		for _, n := range f.nodes {
			n.letEnd()
		}
	}
	if err := f.begin(); err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	s.tell() // the time without progress counts from here
	return nil
}

// repair ends all faults.
func (s *storm) repair() error {
	for len(s.active) > 0 {
		f := s.active[len(s.active)-1]
		s.run.verbosely("end of %s", f.name)
		if err := f.end(); err != nil {
			return fmt.Errorf("end of %s: %w", f.name, err)
		}
		s.active = s.active[:len(s.active)-1]
		s.tell()
	}
	for _, n := range s.run.nodes { // an error of the disk may show late
		if err := s.mend(n); err != nil {
			return err
		}
	}
	return nil
}

// tell says which faults are active now, and whether a majority can work.
func (s *storm) tell() {
	impaired := make(map[*node]bool)
	var names []string
	for _, f := range s.active {
		names = append(names, f.name)
		for _, n := range f.impaired {
			impaired[n] = true
		}
	}
	name := strings.Join(names, " and ")
	if name == "" {
		name = "a repair"
	}
	s.run.progress.change(len(impaired) <= 1, name)
}
