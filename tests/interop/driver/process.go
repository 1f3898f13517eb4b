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

	"drumbeat/interop/pipe"
)

// process is a running node seen through its pipes. Any number of calls may be under way.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed once it has ended
	exit error         // after done

	mutex   sync.Mutex
	lastID  uint64
	waiting map[uint64]chan *pipe.Reply
}

// Errors of a call, beside those that the node itself replies.
var (
	errDown = errors.New("the process is down") // before or while it worked on it: unknown
	errHung = errors.New("no reply at all")     // a request must complete, with whatever result
)

// replyError is a failure that the node replied.
type replyError struct {
	text    string
	outcome string
}

func (e *replyError) Error() string { return e.text }

// didNotHappen tells whether the failed call certainly had no effect.
func didNotHappen(err error) bool {
	var reply *replyError
	return errors.As(err, &reply) && reply.outcome == pipe.DidNotHappen
}

// startProcess runs `path` in `dir` as user `uid` (0: as ourselves), its stderr going to `log`.
func startProcess(path, dir, log string, uid uint32) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := exec.Command(path)
	cmd.Dir, cmd.Stderr = dir, file
	cmd.Env = append(os.Environ(), "GOTRACEBACK=all")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	}
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
	p := &process{cmd: cmd, in: in, done: make(chan struct{}), waiting: make(map[uint64]chan *pipe.Reply)}
	go p.receive(out)
	return p, nil
}

// receive hands replies out until the process ends.
func (p *process) receive(out io.Reader) {
	lines := bufio.NewReaderSize(out, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		reply := &pipe.Reply{}
		if json.Unmarshal(line, reply) != nil {
			continue // some library spoke
		}
		p.mutex.Lock()
		waiter := p.waiting[reply.ID]
		delete(p.waiting, reply.ID)
		p.mutex.Unlock()
		if waiter != nil {
			waiter <- reply
		}
	}
	p.exit = p.cmd.Wait()
	close(p.done)
}

// call sends a request and waits for its reply, ten seconds longer than its own timeout at most.
func (p *process) call(request pipe.Request) (*pipe.Reply, error) {
	waiter := make(chan *pipe.Reply, 1)
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
	limit := time.Duration(request.TimeoutMs)*time.Millisecond + hungAfter
	select {
	case reply := <-waiter:
		if reply.Error != "" {
			return reply, &replyError{reply.Error, reply.Outcome}
		}
		return reply, nil
	case <-p.done:
		return nil, errDown
	case <-time.After(limit):
		return nil, fmt.Errorf("%s: %w after %v", request.Cmd, errHung, limit)
	}
}

const hungAfter = 30 * time.Second

func (p *process) signal(s syscall.Signal) { p.cmd.Process.Signal(s) }

// kill ends the process at once and waits for its end.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}
