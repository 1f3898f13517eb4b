// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand"
	"sync"
	"time"
)

// example is a run of the program example-helloworld instead of interop_node: one typist at each
// console, and nothing to go by but what the programs print.
type example struct {
	run     *run
	ledger  *ledger
	typists sync.WaitGroup
	gate    sync.RWMutex // typists hold it to read while they type; to write, they rest
	ending  chan struct{}
}

// newExample gives the nodes consoles.
func newExample(r *run) *example {
	e := &example{run: r, ledger: newLedger(r), ending: make(chan struct{})}
	for _, n := range r.nodes {
		n.console = &console{node: n, ledger: e.ledger,
			random: rand.New(rand.NewSource(r.seed*1000 + int64(n.replica)))}
	}
	return e
}

// work lets faults happen until the time is over.
func (e *example) work() error {
	r := e.run
	if err := each(r.nodes, (*node).up); err != nil {
		return err
	}
	if err := e.awaitAnswers(); err != nil {
		return err
	}
	for _, n := range r.nodes {
		n := n
		e.typists.Add(1)
		go func() {
			defer e.typists.Done()
			e.typeAt(n.console)
		}()
	}
	defer e.stop()
	s := newStorm(r)
	if len(s.kinds) == 0 {
		return fmt.Errorf("no faults to make")
	}
	r.progress.pause(false)
	for number := 1; !r.over(number) && len(r.problems) == 0; number++ {
		if err := e.round(s); err != nil {
			return err
		}
	}
	s.demandAll()
	return nil
}

// round is a time of faults, after which all consoles must answer, and print the same.
func (e *example) round(s *storm) error {
	r := e.run
	s.tell()
	if err := r.playRound(s); err != nil {
		return err
	}
	if err := e.awaitAnswers(); err != nil {
		return err
	}
	e.gate.Lock() // and once more, so that nothing is under way
	defer e.gate.Unlock()
	r.progress.pause(true)
	defer r.progress.pause(false)
	if err := e.awaitAnswers(); err != nil {
		return err
	}
	r.figures.add("rounds", 1)
	return e.ledger.check()
}

// awaitAnswers types a line at each console and waits until all of them have printed its count or a
// later one. Within ten election timeouts, but a console may still be busy with the line before, which
// has its own time.
func (e *example) awaitAnswers() error {
	r := e.run
	begin := time.Now()
	err := r.judge.within("answers of all replicas", begin, func(n *node) error {
		m := n.console.type_()
		if m == nil {
			return fmt.Errorf("the console is busy or down")
		}
		return eventually(answerTime, func() error {
			if e.ledger.outcomeOf(m) == counted {
				return nil
			}
			return fmt.Errorf("%q was not printed", m.text)
		})
	})
	if err != nil {
		return err
	}
	last := e.ledger.lastCount()
	return r.judge.within("equal states", time.Now(), func(n *node) error {
		if got := n.console.lastCount(); got < last {
			return fmt.Errorf("it printed count %d, another one %d", got, last)
		}
		return nil
	})
}

// typeAt types lines at a console, one when the last is answered.
func (e *example) typeAt(c *console) {
	for {
		select {
		case <-e.ending:
			return
		case <-time.After(time.Duration(1+c.random.Intn(30)) * time.Millisecond):
		}
		e.gate.RLock()
		c.type_()
		e.gate.RUnlock()
	}
}

func (e *example) stop() {
	close(e.ending)
	e.typists.Wait()
}

// lastCount is the highest count that was printed.
func (l *ledger) lastCount() uint64 {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.last
}

func (c *console) lastCount() uint64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.ledger.mutex.Lock()
	defer c.ledger.mutex.Unlock()
	return c.life.last
}

// launchExample starts the program in the node's home, its data folder on the node's disk.
func (n *node) launchExample(environment []string) (*process, error) {
	n.console.begin()
	return startProcess(launch{path: n.run.program, arguments: []string{"-replicaid", fmt.Sprint(n.replica)},
		dir: n.home, errors: n.console, uid: n.uid, environment: environment, line: n.console.out})
}

// awaitReady waits until the program has said its address.
func (n *node) awaitReady(p *process) error {
	select {
	case <-n.console.ready:
		return nil
	case <-p.done:
		return fmt.Errorf("node %v: start: %w\n%s", n, p.exit, n.logTail())
	case <-time.After(patience):
		return fmt.Errorf("node %v: start: no address in %v\n%s", n, patience, n.logTail())
	}
}
