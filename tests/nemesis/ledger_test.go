// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"
)

// testLedger is a ledger and a way to write into it what happened at which millisecond.
type testLedger struct {
	*ledger
	run *run
}

func newTestLedger() testLedger {
	r := &run{figures: newFigures(), progress: &progress{}}
	l := newLedger(r)
	l.baseTime = epoch
	return testLedger{l, r}
}

func moment(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

// counted adds a message that was typed and printed at these times.
func (l testLedger) counted(text string, typed, seen int, count uint64) {
	l.messages[text] = &message{text: text, replica: 1, typed: moment(typed), outcome: counted,
		answer: moment(seen), seen: moment(seen), count: count}
	l.counts[count] = text
	if count > l.last {
		l.last = count
	}
}

func (l testLedger) unanswered(text string, typed int) {
	l.messages[text] = &message{text: text, replica: 1, typed: moment(typed)}
}

func (l testLedger) reads(begin, print int, count uint64) {
	l.readings = append(l.readings, reading{replica: 2, begin: moment(begin), print: moment(print), count: count})
}

func TestTallies(t *testing.T) {
	cases := []struct {
		name  string
		write func(testLedger)
		legal bool
	}{
		{"one after the other", func(l testLedger) {
			l.counted("a", 1, 2, 1)
			l.reads(3, 4, 1)
			l.counted("b", 5, 6, 2)
		}, true},
		{"a stale read", func(l testLedger) {
			l.counted("a", 1, 2, 1)
			l.counted("b", 3, 4, 2)
			l.reads(5, 6, 1)
		}, false},
		{"a read of the future", func(l testLedger) {
			l.reads(1, 2, 1)
			l.counted("a", 3, 4, 1)
		}, false},
		{"counted against the order of time", func(l testLedger) {
			l.counted("a", 1, 2, 2)
			l.counted("b", 3, 4, 1)
		}, false},
		{"a hole without a message for it", func(l testLedger) {
			l.counted("a", 1, 2, 1)
			l.counted("b", 3, 4, 3)
		}, false},
		{"a hole for a message that nobody printed", func(l testLedger) {
			l.counted("a", 1, 2, 1)
			l.unanswered("x", 1)
			l.counted("b", 3, 4, 3)
		}, true},
		{"a hole before the message that could fill it", func(l testLedger) {
			l.counted("a", 1, 2, 1)
			l.counted("b", 3, 4, 3)
			l.unanswered("x", 5)
		}, false},
	}
	for _, c := range cases {
		l := newTestLedger()
		c.write(l)
		if err := l.check(); (err == nil) != c.legal {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestARoundGoesOnWhereTheLastEnded(t *testing.T) {
	l := newTestLedger()
	l.counted("a", 1, 2, 1)
	if err := l.check(); err != nil {
		t.Fatal(err)
	}
	l.baseTime = moment(10)
	l.counted("b", 11, 12, 2)
	l.reads(13, 14, 2)
	if err := l.check(); err != nil {
		t.Fatal(err)
	}
	l.baseTime = moment(20)
	l.reads(21, 22, 1)
	if l.check() == nil {
		t.Fatal("a read of the round before last passed")
	}
}

func TestWhatConsolesPrintIsComparedAtOnce(t *testing.T) {
	cases := []struct {
		name, complaint string
		print           func(testLedger)
	}{
		{"the same at two replicas", "", func(l testLedger) {
			l.printed(&life{replica: 1}, "a", 1)
			l.printed(&life{replica: 2}, "a", 1)
		}},
		{"two messages under one count", "count 1 is of", func(l testLedger) {
			l.printed(&life{replica: 1}, "a", 1)
			l.printed(&life{replica: 2}, "b", 1)
		}},
		{"a message under two counts", "counted twice", func(l testLedger) {
			v := &life{replica: 1}
			l.printed(v, "a", 1)
			l.printed(v, "a", 2)
		}},
		{"a count goes back", "after 2", func(l testLedger) {
			v := &life{replica: 1}
			l.printed(v, "a", 2)
			l.printed(v, "b", 1)
		}},
		{"nobody typed it", "nobody typed", func(l testLedger) { l.printed(&life{replica: 1}, "c", 1) }},
		{"refused, then printed", "was refused", func(l testLedger) {
			l.refuse(l.messages["a"])
			l.printed(&life{replica: 1}, "a", 1)
		}},
		{"counts passed over without a snapshot", "passed over", func(l testLedger) {
			v := &life{replica: 1}
			l.printed(v, "a", 1)
			l.printed(v, "b", 3)
			l.ended(v)
		}},
	}
	for _, c := range cases {
		l := newTestLedger()
		l.type_("a", 1)
		l.type_("b", 1)
		c.print(l)
		got := strings.Join(l.run.problems, "; ")
		if (got == "") != (c.complaint == "") || !strings.Contains(got, c.complaint) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
