// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// terminal is one helloworld program and the person in front of it.
type terminal struct {
	run  *run
	name string
	kind string
	args []string
	cmd  *exec.Cmd
	in   io.WriteCloser
	log  string

	mutex sync.Mutex
	lines []string
	seen  map[int]string // count -> message, of all its lives
}

var updateLine = regexp.MustCompile(`^from .*Update\(\).*msg: (.*), count: ?(\d+)$`)

func (t *terminal) open() {
	program, args := t.run.programs[t.kind], append([]string{"helloworld"}, t.args...)
	if t.kind == kindDrumbeat {
		program, args = t.run.example, t.args
	}
	log, err := os.OpenFile(t.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	t.run.must(err)
	defer log.Close()
	t.cmd = exec.Command(program, args...)
	t.cmd.Dir, t.cmd.Stderr = t.run.dir, log
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	t.in, err = t.cmd.StdinPipe()
	t.run.must(err)
	out, err := t.cmd.StdoutPipe()
	t.run.must(err)
	t.run.must(t.cmd.Start())
	go t.watch(out)
}

func (t *terminal) watch(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		t.mutex.Lock()
		t.lines = append(t.lines, lines.Text())
		if m := updateLine.FindStringSubmatch(lines.Text()); m != nil {
			count, _ := strconv.Atoi(m[2])
			if before, ok := t.seen[count]; ok && before != m[1] {
				t.run.complain("%s printed count %d for %q and for %q", t.name, count, before, m[1])
			}
			t.seen[count] = m[1]
		}
		t.mutex.Unlock()
	}
}

func (t *terminal) types(line string) { io.WriteString(t.in, line+"\n") }

func (t *terminal) saw(message string) (int, bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for count, m := range t.seen {
		if m == message {
			return count, true
		}
	}
	return 0, false
}

func (t *terminal) printed(line string) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for _, l := range t.lines {
		if l == line {
			return nil
		}
	}
	return fmt.Errorf("%s did not print %q", t.name, line)
}

// helloworld: the example programs of both kinds in one group, at their fixed addresses.
func helloworld(r *run) {
	r.losses = true
	var all []*terminal
	open := func(kind string, args ...string) *terminal {
		t := &terminal{run: r, kind: kind, args: args, name: fmt.Sprintf("%d(%s)", len(all)+1, kind), seen: make(map[int]string)}
		t.log = filepath.Join(r.dir, fmt.Sprintf("hello%d%s.log", len(all)+1, kind))
		t.open()
		all = append(all, t)
		return t
	}
	defer func() {
		for _, t := range all {
			t.cmd.Process.Kill()
			t.cmd.Wait()
		}
	}()
	for i, kind := range []string{r.major, r.major, r.minor} {
		open(kind, "-replicaid", strconv.Itoa(i+1))
	}
	r.untilElected(all)
	r.chat(all, "first", 8)
	for _, victim := range []*terminal{all[2], all[0]} {
		victim.cmd.Process.Kill()
		victim.cmd.Wait()
		rest := without(all, victim)
		r.untilElected(rest)
		r.chat(rest, "without "+victim.name, 8)
		victim.open()
		r.everyoneSees(all, fmt.Sprintf("back %s", victim.name))
	}
	all[1].types("add localhost:63100 4")
	r.eventually(patience, "the membership change", func() error {
		return all[1].printed("membership change completed successfully")
	})
	open(r.minor, "-replicaid", "4", "-addr", "localhost:63100", "-join")
	r.everyoneSees(all, "hello four")
	r.chat(all, "four", 4)
	r.sameCounts(all)
	for _, t := range all {
		t.types("exit")
		if err := t.cmd.Wait(); err != nil {
			r.complain("exit of %s: %v\n%s", t.name, err, tail(t.log, 10))
		}
		text, err := os.ReadFile(t.log)
		r.must(err)
		for _, line := range badLines(string(text), true, false) {
			r.complain("%s logged: %s", t.name, line)
		}
	}
}

// untilElected types until somebody's line comes through.
func (r *run) untilElected(terminals []*terminal) { r.everyoneSees(terminals, "anyone there?") }

// everyoneSees types a line, again if it was refused, until all have printed it.
func (r *run) everyoneSees(terminals []*terminal, what string) {
	for try := 0; ; try++ {
		if try == 12 {
			r.fatal("%q never came through\n%s", what, tail(terminals[0].log, 10))
		}
		line := fmt.Sprintf("%s %d %d", what, try, r.random.Uint32())
		terminals[try%len(terminals)].types(line)
		for deadline := time.Now().Add(4 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			missing := 0
			for _, t := range terminals {
				if _, ok := t.saw(line); !ok {
					missing++
				}
			}
			if missing == 0 {
				return
			}
		}
	}
}

// chat types messages everywhere at once and waits until all have got all of them: each message is
// printed somewhere and all have reached the same count. (One that fell behind may have jumped
// over some messages by a snapshot.)
func (r *run) chat(terminals []*terminal, what string, each int) {
	for i := 0; i < each; i++ {
		for _, t := range terminals {
			t.types(fmt.Sprintf("%s %s %d", what, t.name, i))
		}
	}
	r.eventually(patience, what, func() error {
		for _, writer := range terminals {
			for i := 0; i < each; i++ {
				if err := someoneSaw(terminals, fmt.Sprintf("%s %s %d", what, writer.name, i)); err != nil {
					return err
				}
			}
		}
		for _, t := range terminals {
			if t.highest() != terminals[0].highest() {
				return fmt.Errorf("%s is at %d, %s at %d", t.name, t.highest(), terminals[0].name, terminals[0].highest())
			}
		}
		return nil
	})
	r.count(uint64(each*len(terminals)), 0)
}

func someoneSaw(terminals []*terminal, line string) error {
	for _, t := range terminals {
		if _, ok := t.saw(line); ok {
			return nil
		}
	}
	return fmt.Errorf("nobody printed %q", line)
}

// highest is the largest count that it has printed.
func (t *terminal) highest() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	highest := 0
	for count := range t.seen {
		highest = most(highest, count)
	}
	return highest
}

// sameCounts checks that nobody printed another message for a count than the others.
func (r *run) sameCounts(terminals []*terminal) {
	agreed := make(map[int]string)
	for _, t := range terminals {
		t.mutex.Lock()
		for count, message := range t.seen {
			if before, ok := agreed[count]; ok && before != message {
				r.complain("count %d is %q and, at %s, %q", count, before, t.name, message)
			}
			agreed[count] = message
		}
		t.mutex.Unlock()
	}
	r.figure("%d messages in one order", len(agreed))
}
