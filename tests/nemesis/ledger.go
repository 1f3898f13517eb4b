// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// outcome is what a console answered to a line.
type outcome int

const (
	open    outcome = iota // nothing, or that the message may still be applied
	counted                // the program printed the message with its count
	refused                // the program said that it was not done
)

// message is a line that was typed at one of the consoles.
type message struct {
	text    string
	replica uint64
	typed   time.Time
	outcome outcome
	answer  time.Time // of outcome
	count   uint64    // 0: no replica printed it
	seen    time.Time // first printed by any
}

// reading is a line `count: N`, of a read that began between the two times.
type reading struct {
	replica      uint64
	begin, print time.Time
	count        uint64
}

// life is what one process printed of the updates it applied.
type life struct {
	replica    uint64
	last       uint64
	jumps      int // counts that were passed over
	recoveries int // from snapshots, the only reason to pass over any
}

// ledger is all that the consoles were given and printed: the counted messages are one list, of which
// each process prints a part, in order. Any goroutine.
type ledger struct {
	run      *run
	mutex    sync.Mutex
	messages map[string]*message
	counts   map[uint64]string
	readings []reading // of this round
	last     uint64    // count that was printed

	base      uint64 // count at the beginning of this round, when nothing was under way
	baseTime  time.Time
	baseHoles uint64 // counts up to base that nobody printed
}

func newLedger(r *run) *ledger {
	return &ledger{run: r, baseTime: time.Now(), messages: make(map[string]*message), counts: make(map[uint64]string)}
}

func (l *ledger) type_(text string, replica uint64) *message {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	m := &message{text: text, replica: replica, typed: time.Now()}
	l.messages[text] = m
	return m
}

// printed notes an update, and holds it against all others.
func (l *ledger) printed(v *life, text string, count uint64) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch {
	case count <= v.last:
		l.run.complain("replica %d printed count %d after %d", v.replica, count, v.last)
	case v.last != 0 && count != v.last+1:
		v.jumps++
	}
	v.last = count
	if other, ok := l.counts[count]; ok && other != text {
		l.run.complain("count %d is of %q and, at replica %d, of %q", count, other, v.replica, text)
	}
	l.counts[count] = text
	m := l.messages[text]
	if m == nil {
		l.run.complain("replica %d printed %q, which nobody typed", v.replica, text)
		return
	}
	if m.count != 0 && m.count != count {
		l.run.complain("%q was counted twice, %d and %d", text, m.count, count)
	}
	if m.outcome == refused {
		l.run.complain("%q was refused at replica %d and printed by replica %d", text, m.replica, v.replica)
	}
	if m.count == 0 {
		m.count, m.seen = count, time.Now()
	}
	if count > l.last {
		l.last = count
	}
	if m.replica == v.replica && m.outcome == open {
		l.settle(m, counted)
	}
}

// settle notes a console's answer; with the mutex.
func (l *ledger) settle(m *message, o outcome) {
	m.outcome, m.answer = o, time.Now()
	if o == counted {
		l.run.figures.add("done", 1)
		l.run.progress.done()
	}
}

// refuse notes that a console called the message not done.
func (l *ledger) refuse(m *message) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if m.count != 0 {
		l.run.complain("%q was refused at replica %d and printed before", m.text, m.replica)
	}
	l.settle(m, refused)
	l.run.figures.add("not done", 1)
}

// isAnswered tells whether the console has nothing more to say to the message: it was printed there,
// or refused, or passed over, because the replica learnt of it by a snapshot.
func (l *ledger) isAnswered(m *message, v *life) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if m.outcome == open && m.count != 0 && v.last >= m.count {
		l.settle(m, counted)
	}
	return m.outcome != open
}

func (l *ledger) outcomeOf(m *message) outcome {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return m.outcome
}

func (l *ledger) read(v *life, count uint64, begin time.Time) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.readings = append(l.readings, reading{v.replica, begin, time.Now(), count})
	l.run.figures.add("reads", 1)
}

// ended checks what can be told when a process has ended.
func (l *ledger) ended(v *life) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if v.jumps > v.recoveries {
		l.run.complain("replica %d passed over counts %d times, and recovered from %d snapshots", v.replica,
			v.jumps, v.recoveries)
	}
}

// tally is an operation on the number of counted messages, for Porcupine: a message makes it `count`
// (0: whatever is next), a read sees it.
type tally struct {
	read  bool
	count uint64
	text  string
}

// tallies is the model, from `base` messages on. A message without a known count can only have one
// that nobody printed.
func tallies(base uint64, counts map[uint64]string) porcupine.Model {
	return porcupine.Model{
		Init: func() interface{} { return base },
		Step: func(state, input, _ interface{}) (bool, interface{}) {
			now, op := state.(uint64), input.(tally)
			switch {
			case op.read:
				return now == op.count, now
			case op.count != 0:
				return now+1 == op.count, now + 1
			}
			_, taken := counts[now+1]
			return !taken, now + 1
		},
	}
}

// check judges a round, at whose end all lines are answered: is there an order of its messages and
// reads that explains what the consoles printed, and when? Then the next round begins.
func (l *ledger) check() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	history := l.history()
	l.run.figures.add("histories", 1)
	model := tallies(l.base, l.counts)
	l.base, l.baseTime, l.baseHoles, l.readings = l.last, time.Now(), l.last-uint64(len(l.counts)), nil
	switch porcupine.CheckOperationsTimeout(model, history, checkTime) {
	case porcupine.Illegal:
		return fmt.Errorf("what the consoles printed is not linearizable:\n%s", describeTallies(history))
	case porcupine.Unknown:
		return fmt.Errorf("%d operations could not be judged in %v", len(history), checkTime)
	}
	return nil
}

// history is the round as Porcupine wants it; with the mutex.
func (l *ledger) history() (history []porcupine.Operation) {
	begin, never := l.baseTime, time.Now().Add(time.Hour)
	add := func(replica uint64, op tally, call, returned time.Time) {
		history = append(history, porcupine.Operation{ClientId: int(replica), Input: op,
			Call: int64(call.Sub(begin)), Return: int64(returned.Sub(begin))})
	}
	holes := l.last-uint64(len(l.counts)) > l.baseHoles
	for _, m := range l.messages {
		switch {
		case m.count > l.base:
			add(m.replica, tally{count: m.count, text: m.text}, m.typed, m.seen)
		case m.count == 0 && m.outcome == open && holes: // printed by nobody, perhaps counted
			add(m.replica, tally{text: m.text}, m.typed, never)
		}
	}
	for _, r := range l.readings {
		if r.begin.After(l.baseTime) {
			add(r.replica, tally{read: true, count: r.count}, r.begin, r.print)
		}
	}
	return history
}

func describeTallies(history []porcupine.Operation) string {
	sort.Slice(history, func(a, b int) bool { return history[a].Call < history[b].Call })
	var lines []string
	for _, o := range history {
		op := o.Input.(tally)
		what := fmt.Sprintf("%q counts", op.text)
		if op.read {
			what = "reads"
		}
		lines = append(lines, fmt.Sprintf("      %10.3f..%10.3f ms replica %d %s %d", float64(o.Call)/1e6,
			float64(o.Return)/1e6, o.ClientId, what, op.count))
	}
	return strings.Join(lines, "\n")
}
