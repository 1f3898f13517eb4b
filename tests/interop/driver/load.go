// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"

	"drumbeat/interop/pipe"
)

// load is a number of clients that propose and read through several nodes and write down what
// they saw, for the check of linearizability.
type load struct {
	run      *run
	shard    uint64
	stopping chan struct{}
	clients  sync.WaitGroup
	issued   atomic.Uint64

	mutex   sync.Mutex
	readers []*node // where reads go
	writers []*node // where proposals go
	history []operation
	last    []settled
}

// settled is the last proposal of a session whose result is known: asked again, the result must be
// the same and nothing may change.
type settled struct {
	session session // series: that of the proposal
	command pipe.Bytes
	value   uint64
	data    string
}

// attempt is how long a client waits at one node before it tries another.
const attempt = 1500 * time.Millisecond

// startLoad lets that many clients loose on the shard.
func (r *run) startLoad(clients int, readers, writers []*node) *load {
	return r.startLoadOn(shard, clients, readers, writers)
}

func (r *run) startLoadOn(id uint64, clients int, readers, writers []*node) *load {
	l := &load{run: r, shard: id, readers: readers, writers: writers, stopping: make(chan struct{})}
	seed := r.random.Int63()
	for client := 0; client < clients; client++ {
		c := &loadClient{load: l, id: client, random: rand.New(rand.NewSource(seed + int64(client)))}
		l.clients.Add(1)
		go func() {
			defer l.clients.Done()
			c.work()
		}()
	}
	return l
}

// stop waits for the clients and checks what they saw.
func (l *load) stop() {
	close(l.stopping)
	l.clients.Wait()
	var acked, unknown uint64
	for _, op := range l.history {
		if op.known {
			acked++
		} else {
			unknown++
		}
	}
	l.run.count(acked, unknown)
	if acked == 0 {
		l.run.fatal("the load got nothing done")
	}
	if err := checkLinearizable(l.history); err != nil {
		l.run.complain("%v", err)
	}
}

// done is how many operations have completed.
func (l *load) done() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return len(l.history)
}

// progress waits until the load got `more` operations done, and returns how long that took.
func (l *load) progress(more int) time.Duration {
	start := l.done()
	return l.run.eventually(patience, "progress of the load", func() error {
		if now := l.done(); now < start+more {
			return fmt.Errorf("%d of %d operations", now-start, more)
		}
		return nil
	})
}

// askAgain proposes each session's last settled proposal again, once through each node.
func (l *load) askAgain(nodes []*node) {
	before := l.run.state(l.shard, nodes[0])
	for _, s := range l.last {
		for _, n := range nodes {
			var reply *pipe.Reply
			l.run.eventually(patience, "a repeated proposal", func() (err error) {
				reply, err = s.session.once(n, s.command)
				return err
			})
			if reply.Value != s.value || string(reply.Data) != s.data {
				l.run.complain("client %d series %d gave %d %x first and %d %x when repeated through node %v",
					s.session.client, s.session.series, s.value, s.data, reply.Value, reply.Data, n)
			}
		}
	}
	if after := l.run.converge(l.shard, nodes); after != before {
		l.run.complain("repeated proposals changed the state: %+v, then %+v", before, after)
	}
}

// use directs the load to other nodes.
func (l *load) use(nodes []*node) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.readers, l.writers = nodes, nodes
}

type loadClient struct {
	load    *load
	id      int
	random  *rand.Rand
	session *session
	last    *settled
}

func (c *loadClient) work() {
	for number := 0; ; number++ {
		select {
		case <-c.load.stopping:
			if c.last != nil {
				c.load.mutex.Lock()
				c.load.last = append(c.load.last, *c.last)
				c.load.mutex.Unlock()
			}
			return
		case <-time.After(time.Duration(1+c.random.Intn(15)) * time.Millisecond):
		}
		c.step(number)
	}
}

// step does one operation. Keys change as time goes on, so that each has a short history.
func (c *loadClient) step(number int) {
	generation := c.load.issued.Add(1) / 150
	op := operation{
		client: c.id,
		key:    fmt.Sprintf("k%d-%d", generation, c.random.Intn(3)),
		value:  fmt.Sprintf("%d.%d;", c.id, number),
		call:   time.Now(),
	}
	happened := true
	switch dice := c.random.Intn(10); {
	case dice < 4:
		op.kind = opGet
		happened = c.get(&op)
	case dice < 6:
		op.kind = opPut
		happened = c.write(&op, pipe.Put(op.key, op.value))
	default:
		op.kind = opAppend
		happened = c.write(&op, pipe.Append(op.key, op.value))
	}
	op.end = time.Now()
	if happened {
		c.load.mutex.Lock()
		c.load.history = append(c.load.history, op)
		c.load.mutex.Unlock()
	}
}

// some picks a node for a write or a read.
func (c *loadClient) some(write bool) *node {
	c.load.mutex.Lock()
	nodes := c.load.readers
	if write {
		nodes = c.load.writers
	}
	c.load.mutex.Unlock()
	return nodes[c.random.Intn(len(nodes))]
}

// wrong records an error that no fault explains.
func (c *loadClient) wrong(err error) {
	if errors.Is(err, errHung) {
		c.load.run.complain("client %d: %v", c.id, err)
	}
}

func (c *loadClient) get(op *operation) bool {
	reply, err := c.some(false).call(pipe.Request{Cmd: "read", Shard: c.load.shard, Key: op.key,
		TimeoutMs: uint64(attempt / time.Millisecond)})
	if err != nil {
		c.wrong(err)
		time.Sleep(5 * time.Millisecond)
		return false
	}
	op.known, op.found, op.content = true, reply.Found, string(reply.Content)
	return true
}

// write proposes with a registered session, or now and then without one. It reports false when
// the proposal certainly did not happen.
func (c *loadClient) write(op *operation, command pipe.Bytes) bool {
	if c.random.Intn(5) == 0 {
		reply, err := c.some(true).call(pipe.Request{Cmd: "propose", Shard: c.load.shard, Command: command,
			TimeoutMs: uint64(attempt / time.Millisecond)})
		if err != nil {
			c.wrong(err)
			return !didNotHappen(err)
		}
		op.settle(reply)
		return true
	}
	if c.session == nil && !c.register() {
		return false
	}
	return c.writeOnce(op, command)
}

func (c *loadClient) register() bool {
	reply, err := c.some(true).call(pipe.Request{Cmd: "open_session", Shard: c.load.shard,
		TimeoutMs: uint64(attempt / time.Millisecond)})
	if err != nil {
		c.wrong(err)
		time.Sleep(5 * time.Millisecond)
		return false
	}
	c.session = &session{run: c.load.run, shard: c.load.shard, client: reply.Client, series: 1}
	c.last = nil
	return true
}

// writeOnce retries under one series id through all nodes, for long; what has no outcome then is
// given up together with the session.
func (c *loadClient) writeOnce(op *operation, command pipe.Bytes) bool {
	maybe := false
	for deadline := time.Now().Add(patience / 2); time.Now().Before(deadline); {
		reply, err := c.some(true).call(pipe.Request{Cmd: "propose", Shard: c.load.shard,
			Client: c.session.client, Series: c.session.series, Command: command,
			TimeoutMs: uint64(attempt / time.Millisecond)})
		if err == nil {
			op.settle(reply)
			c.last = &settled{*c.session, command, reply.Value, string(reply.Data)}
			c.session.series++
			return true
		}
		c.wrong(err)
		maybe = maybe || !didNotHappen(err)
		time.Sleep(5 * time.Millisecond)
	}
	c.session = nil
	return maybe
}
