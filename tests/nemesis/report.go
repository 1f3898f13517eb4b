// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// residentLimitKib is what a node may hold at most, P8: these groups are small.
const residentLimitKib = 512 << 10

// badLine is what a node never logs, whatever happens to it.
var badLine = regexp.MustCompile(`invariant|Sanitizer|runtime error:|DRUMBEAT_CHECK|terminate called|cannot be preloaded| C \| `)

func (r *run) inspectLog(n *node) {
	text, err := os.ReadFile(n.logPath())
	if err != nil {
		r.complain("%v", err)
	}
	bad := 0
	for _, line := range strings.Split(string(text), "\n") {
		if badLine.MatchString(line) && bad < 10 {
			r.complain("node %v logged: %s", n, line)
			bad++
		}
	}
	if n.maxKib > residentLimitKib {
		r.complain("node %v took %d MiB of memory", n, n.maxKib>>10)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// report prints the figures of the run.
func (r *run) report() {
	f, p := r.figures, r.progress
	faults, sum := f.list("fault:")
	elections, term := r.watch.elections()
	fmt.Printf("nemesis of %s: seed %d, %.0f s, %d rounds; %d operations (%d done, %d not done, %d unknown); "+
		"%d faults (%s); %d leader changes; longest time without progress %s, with a majority %s (%s)\n",
		filepath.Base(r.program), r.seed, time.Since(r.begin).Seconds(), f.count("rounds"), f.count("done")+f.count("not done")+f.count("unknown"),
		f.count("done"), f.count("not done"), f.count("unknown"), sum, faults, elections, seconds(p.longest),
		seconds(p.worst), p.worstFaults)
	fmt.Printf("  kinds not reached: %s\n", orNone(f.notReached(r.wanted())))
	r.reportPromises(elections, term)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (r *run) reportPromises(elections int, term uint64) {
	f, p := r.figures, r.progress
	wrong := len(r.problems)
	kills, cuts := r.sum("kill", "kill-two", "kill-all", "kill-ahead"), r.sum("power-cut", "power-cut-two", "power-cut-all")
	histories := "of one key each"
	if r.example {
		histories = fmt.Sprintf("of all messages and %d reads", f.count("reads"))
	}
	fmt.Printf("  P1  linearizable: %d histories %s judged; %d problems of any kind\n", f.count("histories"), histories, wrong)
	fmt.Printf("  P2  %d kill -9 (%d of all three), %d power cuts (%d of all three, %d unsynced sectors lost); "+
		"%d keys read again in later rounds\n", kills, f.count("fault:kill-all"), cuts,
		f.count("fault:power-cut-all"), r.sectorsLost(), f.count("read again"))
	fmt.Printf("  P4  %d broken, %d full, %d stuck disks: %d hosts ended by themselves (%d after a failed sync, as each must), "+
		"all others went on\n", r.sum("disk-fails", "disk-sync-fails", "disk-sync-fails-once"), r.sum("disk-full"),
		r.sum("disk-stuck"), f.count("hosts ended"), f.count("ended after a failed sync"))
	fmt.Printf("  P6  election timeout %v; in %d of %d times with a majority the longest wait was within 3 of them; "+
		"after the last repair all answered within %s, and were equal within %s\n", r.election(), p.within,
		p.within+p.beyond, seconds(f.extreme("answers of all replicas")), seconds(f.extreme("equal states")))
	if r.example {
		fmt.Printf("  P7  no message was counted twice, none that was refused was counted\n")
	} else {
		fmt.Printf("  P7  %d retries in sessions; %d finished proposals repeated, same results, nothing applied\n",
			f.count("retries"), f.count("repeated"))
	}
	most := 0
	for _, n := range r.nodes {
		if n.maxKib > most {
			most = n.maxKib
		}
	}
	fmt.Printf("  P8  a node took %d MiB at most\n", most>>10)
	fmt.Printf("  P11 longest clean stop %s; longest start %s; newest term %d after %d elections\n",
		seconds(f.extreme("stop")), seconds(f.extreme("start")), term, elections)
}

func (r *run) sum(faults ...string) int {
	sum := 0
	for _, name := range faults {
		sum += r.figures.count("fault:" + name)
	}
	return sum
}

func (r *run) sectorsLost() uint64 {
	lost := uint64(0)
	for _, n := range r.nodes {
		if n.disk != nil {
			lost += n.disk.lost
		}
	}
	return lost
}
