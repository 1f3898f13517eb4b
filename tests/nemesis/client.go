// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"time"
)

// load is a number of clients that propose and read through all nodes and write down what they saw.
type load struct {
	run     *run
	clients sync.WaitGroup
	gate    sync.RWMutex // clients hold it to read during an operation; to write, they rest
	resting bool         // we hold it

	mutex    sync.Mutex
	stopping bool
	prefix   string // of the present round's keys
	issued   int    // operations of this round
	doubts   int    // those of unknown outcome, ever
	history  []operation
	keys     map[string]bool
	settled  map[int]settled // by client
}

// settled is a proposal of a registered session whose result is known: asked again, the result must
// be the same and nothing may change.
type settled struct {
	client, series uint64
	command        Bytes
	value          uint64
	data           string
}

func startLoad(r *run, clients int) *load {
	l := &load{run: r}
	l.nextRound(0)
	for id := 0; id < clients; id++ {
		c := &client{load: l, id: id, random: rand.New(rand.NewSource(r.seed*1000 + int64(id)))}
		l.clients.Add(1)
		go func() {
			defer l.clients.Done()
			c.work()
		}()
	}
	return l
}

// nextRound begins with new keys. The clients rest.
func (l *load) nextRound(number int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.prefix, l.issued = fmt.Sprintf("r%d", number), 0
	l.history, l.keys, l.settled = nil, make(map[string]bool), make(map[int]settled)
}

// rest waits for the operations under way and begins no more, until work. Both from one goroutine.
func (l *load) rest() {
	if !l.resting {
		l.gate.Lock()
		l.resting = true
		l.run.progress.pause(true)
	}
}

func (l *load) work() {
	if l.resting {
		l.run.progress.pause(false)
		l.resting = false
		l.gate.Unlock()
	}
}

// stop ends the clients.
func (l *load) stop() {
	l.mutex.Lock()
	l.stopping = true
	l.mutex.Unlock()
	l.work()
	l.clients.Wait()
}

func (l *load) isStopping() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.stopping
}

func (l *load) done() int { return l.run.figures.count("done") }

// note keeps an operation for the judgement, if it did or may have done anything.
func (l *load) note(op operation) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.history = append(l.history, op)
	l.keys[op.key] = true
	if !op.known {
		if l.doubts++; l.doubts%doubtsPerKeys == 0 {
			l.issued += opsPerKeys
		}
	}
}

func (l *load) hasUnknown() bool {
	for _, op := range l.history {
		if !op.known {
			return true
		}
	}
	return false
}

type client struct {
	load   *load
	id     int
	random *rand.Rand
	client uint64 // session; 0: none
	series uint64
}

func (c *client) work() {
	for number := 0; ; number++ {
		time.Sleep(time.Duration(1+c.random.Intn(15)) * time.Millisecond)
		c.load.gate.RLock()
		stopping := c.load.isStopping()
		if !stopping {
			c.step(number)
		}
		c.load.gate.RUnlock()
		if stopping {
			return
		}
	}
}

// After that many operations, or that many of unknown outcome, new keys come: the judgement of a key
// with many of those, which may have happened in any order, would take too long.
const (
	opsPerKeys    = 150
	doubtsPerKeys = 6
)

func (c *client) step(number int) {
	c.load.mutex.Lock()
	c.load.issued++
	key := fmt.Sprintf("%s-%d-%d", c.load.prefix, c.load.issued/opsPerKeys, c.random.Intn(3))
	c.load.mutex.Unlock()
	op := operation{client: c.id, key: key, value: fmt.Sprintf("%d.%d;", c.id, number), call: time.Now()}
	var happened bool
	switch dice := c.random.Intn(10); {
	case dice < 4:
		op.kind = get
		happened = c.get(&op)
	case dice < 6:
		op.kind = put
		happened = c.write(&op)
	default:
		op.kind = appendTo
		happened = c.write(&op)
	}
	op.end = time.Now()
	switch {
	case op.known:
		c.load.run.figures.add("done", 1)
		c.load.run.progress.done()
	case happened:
		c.load.run.figures.add("unknown", 1)
	default:
		c.load.run.figures.add("not done", 1)
		return
	}
	c.load.note(op)
}

// errImpatient: the client did not wait for the reply of a node that may be stopped.
var errImpatient = errors.New("no reply in time")

// call asks any node, and waits a little longer than the node may take. A request that never
// completes is reported even then.
func (c *client) call(request Request) (*Reply, error) {
	r := c.load.run
	n := r.nodes[c.random.Intn(len(r.nodes))]
	timeout := 3 * r.election()
	request.TimeoutMs = uint64(timeout / time.Millisecond)
	replied := make(chan struct{})
	var reply *Reply
	var err error
	go func() {
		reply, err = n.call(request)
		if errors.Is(err, errHung) {
			r.complain("client %d at node %v: %v", c.id, n, err)
		}
		close(replied)
	}()
	select {
	case <-replied:
	case <-time.After(timeout + r.election()):
		return nil, errImpatient
	}
	if err != nil {
		time.Sleep(20 * time.Millisecond)
	}
	return reply, err
}

func (c *client) get(op *operation) bool {
	reply, err := c.call(Request{Cmd: "read", Key: op.key})
	if err == nil {
		op.known, op.found, op.content = true, reply.Found, string(reply.Content)
	}
	return err == nil
}

// write proposes with a registered session, or now and then without one. It reports false when the
// proposal certainly did not happen.
func (c *client) write(op *operation) bool {
	words := command(byte(op.kind), op.key, op.value)
	if c.random.Intn(5) == 0 {
		reply, err := c.call(Request{Cmd: "propose", Command: words})
		if err == nil {
			op.known, op.size, op.data = true, reply.Value, string(reply.Data)
		}
		return !didNotHappen(err)
	}
	if c.client == 0 && !c.register() {
		return false
	}
	return c.writeOnce(op, words)
}

func (c *client) register() bool {
	reply, err := c.call(Request{Cmd: "open_session"})
	if err != nil {
		return false
	}
	c.client, c.series = reply.Client, 1
	return true
}

// writeOnce retries under one series id through all nodes; what has no outcome after a while is
// given up together with the session.
func (c *client) writeOnce(op *operation, words Bytes) bool {
	maybe := false
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && !c.load.isStopping(); {
		reply, err := c.call(Request{Cmd: "propose", Client: c.client, Series: c.series, Command: words})
		if err == nil {
			op.known, op.size, op.data = true, reply.Value, string(reply.Data)
			c.load.mutex.Lock()
			c.load.settled[c.id] = settled{c.client, c.series, words, reply.Value, op.data}
			c.load.mutex.Unlock()
			c.series++
			return true
		}
		maybe = maybe || !didNotHappen(err)
		c.load.run.figures.add("retries", 1)
	}
	c.client = 0
	c.load.mutex.Lock()
	delete(c.load.settled, c.id) // a later series may have cleared its result
	c.load.mutex.Unlock()
	return maybe
}
