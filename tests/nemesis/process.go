// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a running node seen through its pipes. Any number of calls may be under way.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	line func([]byte)  // takes what it prints; nil: replies
	done chan struct{} // closed once it has ended
	exit error         // after done

	mutex   sync.Mutex
	lastID  uint64
	waiting map[uint64]chan *Reply
}

// Errors of a call, beside those that the node itself replies.
var (
	errDown = errors.New("the process is down") // before or while it worked on it: unknown
	errHung = errors.New("no reply at all")     // a request must complete, with whatever result
)

// replyError is a failure that the node replied.
type replyError struct {
	text     string
	happened bool // or may have happened
}

func (e *replyError) Error() string { return e.text }

// didNotHappen tells whether the failed call certainly had no effect.
func didNotHappen(err error) bool {
	var reply *replyError
	return errors.As(err, &reply) && !reply.happened
}

// launch is what a process is started with. Neither `path` nor `dir` may be on a disk that this
// program serves: a fork waits for them, and the disk could then wait for the fork.
type launch struct {
	path        string
	arguments   []string
	dir         string
	environment []string // beside ours
	uid         uint32
	errors      io.Writer    // its stderr
	line        func([]byte) // takes what it prints; nil: replies to calls
}

func startProcess(l launch) (*process, error) {
	cmd := exec.Command(l.path, l.arguments...)
	cmd.Dir, cmd.Stderr = l.dir, l.errors
	cmd.Env = append(os.Environ(), l.environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL,
		Credential: &syscall.Credential{Uid: l.uid, Gid: l.uid}}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in, line: l.line, done: make(chan struct{}),
		waiting: make(map[uint64]chan *Reply)}
	if p.line == nil {
		p.line = p.reply
	}
	go p.receive(out)
	return p, nil
}

// receive hands lines out until the process ends.
func (p *process) receive(out io.Reader) {
	lines := bufio.NewReaderSize(out, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		p.line(line)
	}
	p.exit = p.cmd.Wait()
	close(p.done)
}

// reply hands a reply to who waits for it.
func (p *process) reply(line []byte) {
	reply := &Reply{}
	if json.Unmarshal(line, reply) != nil {
		return // a library spoke
	}
	p.mutex.Lock()
	waiter := p.waiting[reply.ID]
	delete(p.waiting, reply.ID)
	p.mutex.Unlock()
	if waiter != nil {
		waiter <- reply
	}
}

func (p *process) write(bytes []byte) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	_, err := p.in.Write(bytes)
	return err
}

// hungAfter is how much longer than its own timeout a call may take. Above all faults' lengths,
// because a process that is stopped does not answer.
const hungAfter = 30 * time.Second

// call sends a request and waits for its reply.
func (p *process) call(request Request) (*Reply, error) {
	waiter := make(chan *Reply, 1)
	p.mutex.Lock()
	p.lastID++
	request.ID = p.lastID
	p.waiting[request.ID] = waiter
	line, err := json.Marshal(&request)
	if err == nil {
		_, err = p.in.Write(append(line, '\n'))
	}
	p.mutex.Unlock()
	if err != nil {
		return nil, errDown
	}
	limit := time.NewTimer(time.Duration(request.TimeoutMs)*time.Millisecond + hungAfter)
	defer limit.Stop()
	select {
	case reply := <-waiter:
		if reply.Error != "" {
			return reply, &replyError{reply.Error, reply.Outcome != "no"}
		}
		return reply, nil
	case <-p.done:
		return nil, errDown
	case <-limit.C:
		return nil, fmt.Errorf("%s: %w", request.Cmd, errHung)
	}
}

func (p *process) signal(s syscall.Signal) { p.cmd.Process.Signal(s) }

// residentKib is the process's resident memory; 0 when it can't be told.
func (p *process) residentKib() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	var total, resident int
	if err != nil {
		return 0
	}
	fmt.Sscan(string(text), &total, &resident)
	return resident * os.Getpagesize() / 1024
}
