// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"
)

// figures counts what a run did and keeps the longest of what it timed. Any goroutine.
type figures struct {
	mutex    sync.Mutex
	counts   map[string]int
	extremes map[string]time.Duration
}

func newFigures() *figures {
	return &figures{counts: make(map[string]int), extremes: make(map[string]time.Duration)}
}

func (f *figures) add(name string, more int) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.counts[name] += more
}

func (f *figures) longest(name string, took time.Duration) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if took > f.extremes[name] {
		f.extremes[name] = took
	}
}

func (f *figures) count(name string) int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.counts[name]
}

func (f *figures) extreme(name string) time.Duration {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.extremes[name]
}

// list gives the counts below `prefix`, "b 1, a 2" in the order of their names, and their sum.
func (f *figures) list(prefix string) (string, int) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var parts []string
	sum := 0
	for name, count := range f.counts {
		if strings.HasPrefix(name, prefix) {
			parts = append(parts, fmt.Sprintf("%s %d", strings.TrimPrefix(name, prefix), count))
			sum += count
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, ", "), sum
}

// notReached names the kinds of which there was no fault.
func (f *figures) notReached(kinds []kind) (names []string) {
	for _, k := range kinds {
		if f.count("fault:"+k.name) == 0 {
			names = append(names, k.name)
		}
	}
	return names
}

// progress watches the time between completed operations. Any goroutine.
type progress struct {
	mutex    sync.Mutex
	lastDone time.Time // of any operation
	since    time.Time // of the later of that and the last change of the faults
	whole    bool      // a majority is up and connected
	faults   string    // that are active
	paused   bool      // the clients rest

	longest     time.Duration // without a completed operation, whatever the faults
	worst       time.Duration // the same with a majority, between two changes of the faults
	worstFaults string
	period      time.Duration // as worst, since the last change

	bound  time.Duration
	within int // periods with a majority in which the longest wait was at most `bound`
	beyond int
}

// done is called at each completed operation.
func (p *progress) done() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.account(time.Now())
	p.lastDone = time.Now()
	p.since = p.lastDone
}

func (p *progress) account(now time.Time) {
	if p.paused || p.lastDone.IsZero() {
		return
	}
	if gap := now.Sub(p.lastDone); gap > p.longest {
		p.longest = gap
	}
	gap := now.Sub(p.since)
	if !p.whole {
		return
	}
	if gap > p.period {
		p.period = gap
	}
	if gap > p.worst {
		p.worst, p.worstFaults = gap, p.faults
	}
}

// change tells of other faults than before.
func (p *progress) change(whole bool, faults string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.turn(time.Now())
	p.whole, p.faults = whole, faults
}

// pause and resume tell that the clients rest in between.
func (p *progress) pause(paused bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.turn(time.Now())
	p.paused, p.lastDone = paused, time.Now()
}

func (p *progress) turn(now time.Time) {
	p.account(now)
	if p.whole && !p.paused && p.period > 0 {
		if p.period <= p.bound {
			p.within++
		} else {
			p.beyond++
		}
	}
	p.period, p.since = 0, now
}
