// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand"
	"strings"
	"testing"
	"time"
)

func testStorm(o options) *storm {
	o.tick = 50 * time.Millisecond
	r := &run{options: o, figures: newFigures()}
	return &storm{run: r, random: rand.New(rand.NewSource(1)), kinds: r.wanted()}
}

func TestEachKindComesOnceBeforeAnyComesAgain(t *testing.T) {
	s := testStorm(options{})
	for round := 0; round < 3; round++ {
		seen := make(map[int]bool)
		for range s.kinds {
			seen[s.next().first] = true
		}
		if len(seen) != len(catalogue) {
			t.Fatalf("%d kinds of %d", len(seen), len(catalogue))
		}
	}
}

func TestALongRunDemandsAllKinds(t *testing.T) {
	for _, c := range []struct {
		name    string
		options options
		leftOut string // kinds without a fault
		missing string
	}{
		{"all came", options{duration: longRun}, "", ""},
		{"some did not", options{duration: longRun}, "files,power-cut", "files, power-cut"},
		{"a short run may miss some", options{duration: time.Minute}, "files", ""},
		{"the example cannot be asked", options{duration: longRun, example: true}, "transfer,snapshot", ""},
		{"others were not wanted", options{duration: longRun, only: "kill,files"}, "pause", ""},
		{"of those wanted one is missing", options{duration: longRun, only: "kill,files"}, "kill", "kill"},
		{"power cuts are counted", options{duration: longRun, cuts: 5, only: "power-cut-all"}, "power-cut-all", ""},
	} {
		s := testStorm(c.options)
		for _, k := range catalogue {
			if !strings.Contains(","+c.leftOut+",", ","+k.name+",") {
				s.run.figures.add("fault:"+k.name, 1)
			}
		}
		s.demandAll()
		problems := strings.Join(s.run.problems, "; ")
		if (problems == "") != (c.missing == "") || !strings.HasSuffix(problems, c.missing) {
			t.Errorf("%s: %q, want %q", c.name, problems, c.missing)
		}
	}
}

func TestKindsThatThisMachineCannotMakeAreNotReachedButNotDemanded(t *testing.T) {
	s := testStorm(options{duration: longRun, only: "kill,throttle"})
	s.kinds = s.kinds[1:] // as after possible()
	if s.kinds[0].name != "kill" {
		t.Fatal(s.kinds[0].name)
	}
	s.run.figures.add("fault:kill", 1)
	s.demandAll()
	if len(s.run.problems) > 0 {
		t.Error(s.run.problems)
	}
	if missing := s.run.figures.notReached(s.run.wanted()); len(missing) != 1 || missing[0] != "throttle" {
		t.Error(missing)
	}
}
