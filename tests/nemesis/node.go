// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	shard    = 1
	firstUid = 32001 // of the first node; nobody else should use it and those behind it
)

// node is one node host with one replica. It outlives its process.
type node struct {
	replica uint64
	port    int
	uid     uint32
	home    string // its log and its settings; not on the disk
	disk    *disk  // nil: the data is below home

	host  Request // how the host is opened
	start Request // how the replica is started
	run   *run

	console  *console // nil: the node is interop_node
	mutex    sync.Mutex
	process  *process // nil: down
	expected bool     // its end is our doing
	mayEnd   bool     // a fault may make it end by itself
	maxKib   int
}

func (n *node) String() string { return fmt.Sprint(n.replica) }

func (n *node) logPath() string { return n.home + ".log" }

func (n *node) dataPath() string {
	if n.run.example {
		return filepath.Join(n.home, "example-data")
	}
	return filepath.Join(n.home, "disk", "data")
}

// mountPoint is where the node's disk is mounted.
func (n *node) mountPoint() string {
	if n.run.example {
		return n.dataPath()
	}
	return filepath.Dir(n.dataPath())
}

// prepare makes the folders that the node needs.
func (n *node) prepare(withDisk bool) (err error) {
	if err := os.Mkdir(n.home, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(n.clockPath(), make([]byte, 8), 0o644); err != nil {
		return err
	}
	if withDisk {
		if n.disk, err = newDisk(n.home, n.mountPoint()); err != nil {
			return err
		}
	}
	return firstError(os.MkdirAll(n.mountPoint(), 0o755), os.MkdirAll(n.dataPath(), 0o700), os.Chown(n.dataPath(), int(n.uid), int(n.uid)),
		runProgram("sync", "-f", n.dataPath()))
}

// up starts the process, opens the host and starts the replica.
func (n *node) up() error {
	begin := time.Now()
	environment := n.preloaded()
	if n.run.lie {
		environment = append(environment, "NEMESIS_LIE=1")
	}
	p, err := n.launch(environment)
	if err != nil {
		return err
	}
	n.mutex.Lock()
	n.process, n.expected, n.mayEnd = p, false, false
	n.mutex.Unlock()
	go n.watch(p)
	if n.console != nil {
		err = n.awaitReady(p)
	} else {
		err = n.open(p)
	}
	if err != nil {
		return err
	}
	n.run.figures.longest("start", time.Since(begin))
	return nil
}

// preloaded is the environment in which the node's programs have its clock.
func (n *node) preloaded() []string {
	return []string{"LD_PRELOAD=" + n.run.preload, "NEMESIS_CLOCK=" + n.clockPath()}
}

func (n *node) launch(environment []string) (*process, error) {
	if n.console != nil {
		return n.launchExample(environment)
	}
	log, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return startProcess(launch{path: n.run.program, dir: n.home, errors: log, uid: n.uid, environment: environment})
}

// open opens the host and starts the replica.
func (n *node) open(p *process) error {
	if _, err := p.call(n.host); err != nil {
		return fmt.Errorf("node %v: open: %w\n%s", n, err, n.logTail())
	}
	if _, err := p.call(n.start); err != nil {
		return fmt.Errorf("node %v: start: %w\n%s", n, err, n.logTail())
	}
	return nil
}

// watch reports an end of the process that nobody asked for.
func (n *node) watch(p *process) {
	<-p.done
	n.mutex.Lock()
	surprise := n.process == p && !n.expected && (!n.mayEnd || n.crashed(p))
	if n.process == p {
		n.process = nil
	}
	n.mutex.Unlock()
	if surprise {
		n.run.complain("node %v died: %v\n%s", n, p.exit, n.logTail())
	}
}

// crashed tells whether a process that is over ended as it never does by itself: interop_node outlives
// its host, and the example says why it ends, and ends with status 1.
func (n *node) crashed(p *process) bool {
	var exit *exec.ExitError
	return n.console == nil || !errors.As(p.exit, &exit) || exit.ExitCode() != 1 // -1: a signal
}

// running is the process, nil when it is down.
func (n *node) running() *process {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.process
}

func (n *node) call(request Request) (*Reply, error) {
	p := n.running()
	if p == nil {
		return nil, errDown
	}
	request.Shard = shard
	return p.call(request)
}

func (n *node) allowedToEnd() bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.mayEnd
}

// letEnd: from now on the process may end by itself.
func (n *node) letEnd() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.mayEnd = true
}

// observe notes the process's memory.
func (n *node) observe() {
	p := n.running()
	if p == nil {
		return
	}
	if kib := p.residentKib(); kib > n.maxKib {
		n.maxKib = kib
	}
}

// kill ends the process as the loss of its machine's power would.
func (n *node) kill() {
	n.strike()
	if p := n.running(); p != nil {
		<-p.done
		n.forget(p)
	}
}

// strike sends the kill and does not wait.
func (n *node) strike() {
	n.mutex.Lock()
	n.expected = true
	p := n.process
	n.mutex.Unlock()
	if p != nil {
		p.signal(syscall.SIGKILL)
	}
}

func (n *node) forget(p *process) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.process == p {
		n.process = nil
	}
}

// exit ends the process in order, within ten seconds.
func (n *node) exit() error {
	p := n.running()
	if p == nil {
		return nil
	}
	n.mutex.Lock()
	n.expected = true
	n.mutex.Unlock()
	begin := time.Now()
	var err error
	if n.console != nil {
		err = n.interrupt(p)
	} else {
		_, err = p.call(Request{Cmd: "exit"})
	}
	if err == nil || err == errDown {
		<-p.done
		err = p.exit
	}
	if n.console != nil && ended(err, syscall.SIGTERM) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("node %v: exit: %w\n%s", n, err, n.logTail())
	}
	n.forget(p)
	n.run.figures.longest("stop", time.Since(begin))
	if took := time.Since(begin); took > 10*time.Second {
		return fmt.Errorf("node %v: exit took %v", n, took)
	}
	return nil
}

// interrupt asks the program to end, which it does by that signal.
func (n *node) interrupt(p *process) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(hungAfter):
		return errHung
	}
}

// ended tells whether a process ended by that signal.
func ended(err error, s syscall.Signal) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == s
}

func (n *node) signal(s syscall.Signal) {
	if n.console != nil && (s == syscall.SIGSTOP || s == syscall.SIGCONT) {
		n.console.disturb(s == syscall.SIGSTOP)
	}
	if p := n.running(); p != nil {
		p.signal(s)
	}
}

// healthy tells whether the replica still works: after a failed write its host ends, by design.
func (n *node) healthy() bool {
	if n.console != nil {
		return n.running() != nil
	}
	_, err := n.call(Request{Cmd: "leader"})
	return err == nil || strings.Contains(err.Error(), "not ready yet") // it loads its state
}

func (n *node) clockPath() string { return n.home + ".clock" }

// setClock makes the process's wall clock wrong by that much.
func (n *node) setClock(offset time.Duration) error {
	file, err := os.OpenFile(n.clockPath(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(offset)), 0)
	return err
}

// limitFiles leaves the process that many more file descriptors than it has; negative: as many as
// it may have.
func (n *node) limitFiles(more int) error {
	p := n.running()
	if p == nil {
		return nil
	}
	var limit syscall.Rlimit // ours, which it inherited
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	soft := limit.Max
	if more >= 0 {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
		if err != nil {
			return nil // it has just ended
		}
		soft = uint64(len(open) + more)
	}
	// As its own user, who may do it even where root has lost the right to.
	change := exec.Command("prlimit", fmt.Sprintf("--pid=%d", p.cmd.Process.Pid), fmt.Sprintf("--nofile=%d:", soft))
	change.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: n.uid, Gid: n.uid}}
	if out, err := change.CombinedOutput(); err != nil && n.running() == p {
		return fmt.Errorf("prlimit: %w: %s", err, out)
	}
	return nil
}

func (n *node) logTail() string {
	text, _ := os.ReadFile(n.logPath())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) > 25 {
		lines = lines[len(lines)-25:]
	}
	return "    | " + strings.Join(lines, "\n    | ")
}
