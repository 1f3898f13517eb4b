// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// run is a group of three replicas under load and faults, and what was found wrong.
type run struct {
	options
	disks bool
	dir   string

	nodes    []*node
	load     *load
	watch    *watch
	judge    *judge
	figures  *figures
	progress *progress
	begin    time.Time

	mutex    sync.Mutex
	problems []string
}

// clients is how many work at once.
const clients = 8

// election is the shortest time after which a follower without a leader campaigns.
func (r *run) election() time.Duration {
	if r.example {
		return 2 * time.Second
	}
	return 10 * r.tick
}

// complain records what is wrong without ending the run. From any goroutine.
func (r *run) complain(format string, args ...interface{}) {
	problem := fmt.Sprintf(format, args...)
	if r.lie {
		problem, _, _ = strings.Cut(problem, "\n") // as expected
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.problems = append(r.problems, problem)
	if len(r.problems) <= 20 { // one wrong thing leads to many
		fmt.Printf("WRONG %s\n", problem)
	}
}

func (r *run) verbosely(format string, args ...interface{}) {
	if r.verbose {
		fmt.Printf("    %s %s\n", time.Now().Format("15:04:05.000"), fmt.Sprintf(format, args...))
	}
}

// newRun makes a folder with three nodes that are not up yet.
func newRun(o options) (*run, error) {
	dir, err := os.MkdirTemp(o.folder, "drumbeat-nemesis-")
	if err != nil {
		return nil, err
	}
	r := &run{options: o, disks: !o.noDisks, dir: dir, figures: newFigures()}
	r.progress = &progress{bound: 3 * r.election()}
	r.judge = &judge{run: r, kept: make(map[string]*kept)}
	if err := firstError(os.Chmod(dir, 0o755), r.copyPrograms()); err != nil {
		return r, err
	}
	port := 21000 + int(uint64(r.seed)%1000)
	if r.example {
		port = 63000 // its founders' addresses
	}
	members := make(map[uint64]string)
	for replica := uint64(1); replica <= 3; replica++ {
		n := &node{replica: replica, port: freePort(&port), uid: firstUid + uint32(replica), run: r,
			home: filepath.Join(dir, fmt.Sprintf("node%d", replica))}
		members[replica] = fmt.Sprintf("localhost:%d", n.port)
		r.nodes = append(r.nodes, n)
	}
	for _, n := range r.nodes {
		if err := firstError(r.prepare(n), r.checkClock(n)); err != nil {
			return r, err
		}
		n.host = Request{Cmd: "host", Address: members[n.replica], Dir: n.dataPath(),
			TickMs: uint64(r.tick / time.Millisecond)}
		n.start = Request{Cmd: "start", Shard: shard, Replica: n.replica, Members: members, ElectionTicks: 10,
			HeartbeatTicks: 1, CheckQuorum: true, PreVote: r.seed%4 != 0, SnapshotEntries: 400,
			CompactionOverhead: 50, EntryCompression: r.seed%2 == 0, SnapshotCompression: r.seed%3 == 0}
	}
	return r, nil
}

// judgeProgress: operations complete within ten election timeouts, and hardly ever take more than three.
func (r *run) judgeProgress() {
	p := r.progress
	if limit := electionsToRecover * r.election(); p.worst > limit {
		r.complain("%v without progress although a majority was up and connected (%s); at most: %v",
			p.worst, p.worstFaults, limit)
	}
	if all := p.within + p.beyond; all >= 20 && 10*p.beyond > all {
		r.complain("in %d of %d times with a majority somebody waited for more than %v", p.beyond, all, p.bound)
	}
}

// prepare makes the node's folders, on a disk of ours if the machine lets us have one.
func (r *run) prepare(n *node) error {
	err := n.prepare(r.disks)
	var lack *noDisks
	if !errors.As(err, &lack) || n.replica != 1 {
		return err
	}
	r.disks = false
	fmt.Printf("\n*** nemesis: SKIPPED, no disk faults and no power cuts: %v ***\n\n", err)
	if err := os.RemoveAll(n.home); err != nil {
		return err
	}
	return n.prepare(false)
}

// checkClock makes sure that a program of the node's user has the clock that we give it.
func (r *run) checkClock(n *node) error {
	const wrong = time.Hour
	if err := n.setClock(wrong); err != nil {
		return err
	}
	date := exec.Command("/bin/date", "+%s")
	date.Env = append(os.Environ(), n.preloaded()...)
	date.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: n.uid, Gid: n.uid}}
	out, err := date.CombinedOutput()
	var second int64
	if err := firstError(err, scan(strings.TrimSpace(string(out)), &second)); err != nil {
		return fmt.Errorf("the clock of node %v: %w: %s", n, err, out)
	}
	if off := time.Unix(second, 0).Sub(time.Now().Add(wrong)); off > time.Minute || off < -time.Minute {
		return fmt.Errorf("the clock of node %v does not obey: %s", n, out)
	}
	return n.setClock(0)
}

// copyPrograms puts the programs where the nodes' users may run them.
func (r *run) copyPrograms() error {
	for _, path := range []*string{&r.program, &r.preload} {
		to := filepath.Join(r.dir, filepath.Base(*path))
		content, err := os.ReadFile(*path)
		if err := firstError(err, os.WriteFile(to, content, 0o755)); err != nil {
			return err
		}
		*path = to
	}
	return nil
}

// work lets faults happen until the time is over, or the number of power cuts reached.
func (r *run) work() error {
	r.begin = time.Now()
	r.watch = startWatch(r)
	defer r.watch.stop()
	if r.example {
		return newExample(r).work()
	}
	if err := each(r.nodes, (*node).up); err != nil {
		return err
	}
	if err := r.judge.awaitAnswers(0); err != nil {
		return err
	}
	r.load = startLoad(r, clients)
	defer r.load.stop()
	s := newStorm(r)
	if len(s.kinds) == 0 {
		return fmt.Errorf("no faults to make")
	}
	for number := 1; !r.over(number) && len(r.problems) == 0; number++ {
		if err := r.round(s, number); err != nil {
			return err
		}
	}
	s.demandAll()
	r.load.rest()
	return r.judge.readKept(len(r.judge.kept))
}

func (r *run) over(number int) bool {
	if r.cuts > 0 {
		return number > r.cuts
	}
	return time.Since(r.begin) >= r.duration
}

// roundTime is how long faults come without a check in between.
const roundTime = 15 * time.Second

// round is a time of faults, their repair, and the judgement of all that was seen.
func (r *run) round(s *storm, number int) error {
	r.verbosely("round %d", number)
	r.load.rest()
	r.load.nextRound(number)
	r.load.work()
	s.tell()
	if err := r.playRound(s); err != nil {
		return err
	}
	if err := r.judge.awaitAnswers(number); err != nil {
		return err
	}
	if err := r.awaitProgress(50); err != nil {
		return err
	}
	r.load.rest()
	r.figures.add("rounds", 1)
	return r.judge.round(r.load)
}

// playRound makes and repairs faults for a round's time; of a run of power cuts, one.
func (r *run) playRound(s *storm) error {
	end := time.Now().Add(roundTime)
	for first := true; first || r.cuts == 0 && time.Now().Before(end); first = false {
		if err := s.play(r.nextStep(s)); err != nil {
			return err
		}
	}
	return nil
}

// nextStep is the seed's next; of a run of power cuts, a cut of all three at some moment.
func (r *run) nextStep(s *storm) step {
	t := s.next()
	if r.cuts > 0 {
		t.second = -1
		time.Sleep(s.between(100*time.Millisecond, 2*time.Second))
		t.hold, t.rest = t.hold/20, t.rest/4
	}
	return t
}

// awaitProgress waits until the clients got more operations done.
func (r *run) awaitProgress(more int) error {
	goal := r.load.done() + more
	return eventually(patience, func() error {
		if done := r.load.done(); done < goal {
			return fmt.Errorf("the clients stand still: %d operations to go", goal-done)
		}
		return nil
	})
}

// endOnSignal makes a signal end the program in order: the kernel must not flush a disk that nobody
// serves any more.
func (r *run) endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		fmt.Printf("nemesis: interrupted, seed %d, folder %s\n", r.seed, r.dir)
		each(r.nodes, func(n *node) error {
			if n.disk == nil {
				return nil
			}
			n.disk.medium.die()
			n.kill()
			return n.disk.unmount()
		})
		os.Exit(1)
	}()
}

// foundOut ends a run whose disks lied: it passes if it found something wrong.
func (r *run) foundOut() int {
	os.RemoveAll(r.dir)
	if len(r.problems) == 0 {
		fmt.Printf("nemesis: FAILED with seed %d: syncs did nothing, and that was not found out\n", r.seed)
		return 1
	}
	fmt.Println("nemesis: as it should be: syncs did nothing, and that was found out")
	return 0
}

// finish ends all nodes in order, and reports.
func (r *run) finish() {
	for _, n := range r.nodes {
		n.signal(syscall.SIGCONT) // after an error
	}
	r.judgeProgress()
	if cuts := r.sum("power-cut", "power-cut-two", "power-cut-all"); cuts >= 50 && r.sectorsLost() == 0 {
		r.complain("%d power cuts took nothing that was not synced: they prove nothing", cuts)
	}
	if len(r.problems) == 0 {
		for _, n := range r.nodes {
			if err := n.exit(); err != nil {
				r.complain("%v", err)
			}
		}
	}
	for _, n := range r.nodes {
		n.kill()
		if n.console != nil {
			n.console.end()
		}
		r.inspectLog(n)
		if n.disk != nil {
			if err := n.disk.unmount(); err != nil {
				r.complain("%v", err)
			}
		}
	}
}
