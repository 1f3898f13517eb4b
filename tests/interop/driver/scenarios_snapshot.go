// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drumbeat/interop/pipe"
)

// bigSnapshot is the size of a big state in bytes.
func (r *run) bigSnapshot() uint64 {
	if r.quick {
		return 24 << 20
	}
	return 256 << 20
}

// snapshots: the leader's snapshot reaches a follower of the other kind: of 8 bytes, small and
// big, with 0, 1 and 4,096 sessions; uncompressed, compressed by all and by one kind only.
func snapshots(r *run) {
	for round, compressed := range [][]string{nil, {r.major, r.minor}, {r.lead}} {
		r.snapshotsOf("counter", compressed, 0)
		sessions := 4096
		if r.quick && round > 0 {
			sessions = 256
		}
		r.snapshotsOf("kv", compressed, sessions)
	}
}

func (r *run) snapshotsOf(machine string, compressed []string, sessions int) {
	r.settings.Machine = machine
	r.adjust = func(n *node, start *pipe.Request) { start.SnapshotCompression = contains(compressed, n.kind) }
	nodes := r.mixed()
	rounds := []struct {
		sessions int
		size     uint64
	}{{0, 0}, {1, r.bigSnapshot()}, {sessions, 0}}
	if machine == "counter" {
		rounds = rounds[:1]
	}
	for _, round := range rounds {
		r.lateRound(nodes, round.sessions, round.size)
		if compressed == nil {
			r.sameImages(nodes)
		}
	}
	for _, n := range nodes {
		n.takeStats()
		r.must(n.exit())
	}
}

// sameImages compares the image that a Dragonboat replica got from a drumbeat leader with the one that
// another Dragonboat replica took at the same index: state, sessions and their order are in there.
func (r *run) sameImages(nodes []*node) {
	if r.major != kindGo || r.lead != kindDrumbeat {
		return
	}
	first, second := r.newestImage(nodes[1]), r.newestImage(nodes[2])
	if filepath.Base(first) != filepath.Base(second) {
		r.complain("no two images of one index: %s, %s", first, second)
		return
	}
	a, err := os.ReadFile(first)
	r.must(err)
	b, err := os.ReadFile(second)
	r.must(err)
	const header = 1024 // holds the time when it was taken
	if !bytes.Equal(a[least(header, len(a)):], b[least(header, len(b)):]) {
		r.complain("the images %s and %s differ", first, second)
	}
	r.figure("equal images of %d bytes", len(a))
}

// newestImage is the newest snapshot of a Dragonboat node.
func (r *run) newestImage(n *node) string {
	newest := ""
	r.must(filepath.WalkDir(n.dir, func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".gbsnap") && filepath.Base(path) > filepath.Base(newest) {
			newest = path
		}
		return err
	}))
	return newest
}

// lateRound gives the group that many sessions and bytes behind the back of a late follower, and
// sees that it gets them all.
func (r *run) lateRound(nodes []*node, number int, size uint64) {
	var kept []*session
	late := r.lateFollower(nodes, func(rest []*node) {
		kept = r.manySessions(rest, number)
		for i, s := range kept[:least(number, 20)] {
			s.propose(rest[i%2], pipe.Put(fmt.Sprintf("session%d", i), text(i, 1)))
		}
		for i := 0; i < 10; i++ {
			_, err := rest[i%2].call(pipe.Request{Cmd: "propose", Shard: shard, Command: pipe.Put("k", text(i, 0)), TimeoutMs: 5000})
			r.must(err)
		}
		if number > 0 && size > 0 {
			for i := 0; i < 4; i++ {
				kept[0].propose(rest[0], pipe.Fill(fmt.Sprintf("big%d", i), size/4, r.random.Uint64()))
			}
		}
	})
	before := r.converge(shard, nodes)
	for i, s := range kept[:least(number, 5)] { // the late one knows the sessions and their results
		again := session{run: r, shard: shard, client: s.client, series: s.series - 1}
		if size == 0 {
			again.propose(late, pipe.Put(fmt.Sprintf("session%d", i), text(i, 1)))
		}
	}
	if after := r.converge(shard, nodes); after != before {
		r.complain("repeated proposals changed the state: %+v, then %+v", before, after)
	}
}

// snapshotInterrupted: the receiver is killed in the middle of a transfer and comes back, then the
// sender is; in the end all is well. When a transfer was over before the kill, once more with a bigger
// state.
func snapshotInterrupted(r *run) {
	r.settings.ElectionTicks = 25 // the sender is to lead until it is killed, on a full network and a busy machine
	nodes := r.mixed()
	size := 2 * r.bigSnapshot()
	for try := 1; !r.interruptBoth(nodes, size); try++ {
		if try == 3 {
			r.fatal("no transfer of %d MB could be interrupted", size/1e6)
		}
		size += size / 2
	}
}

// interruptBoth kills the receiver of a snapshot of that size, then its sender. False: a transfer was over
// before, and the group goes on as if nothing had been.
func (r *run) interruptBoth(nodes []*node, size uint64) bool {
	leader := nodes[0]
	late, rest := r.splitOff(nodes)
	late.takeStats()
	late.kill()
	r.makeLeader(leader, rest)
	s := r.openSession(shard, leader)
	// Only what is worth it is cut from a stored log at once. Else a sender that comes back has it still,
	// and sends that.
	s.propose(leader, pipe.Put("long", strings.Repeat("x", 2<<20)))
	for i := 0; i < 4; i++ {
		s.propose(leader, pipe.Fill(fmt.Sprintf("big%d", i), size/4, r.random.Uint64()))
	}
	index := r.snapshot(leader)
	for _, n := range rest[1:] {
		index = least(index, r.snapshot(n))
	}
	r.network.slowDown(size / 4) // a transfer takes some seconds
	defer r.network.slowDown(0)
	r.must(late.up()) // and knows of no snapshot
	interrupted := true
	for _, victim := range []*node{late, leader} {
		// That it starts anew for the sender's turn shows that it was cut off in the receiver's.
		at, under := r.inTransfer(size, late, index)
		if interrupted = under && r.leads(leader); !interrupted {
			r.figure("%v not killed: %.0f MB had passed, all of it: %t", victim, float64(at)/1e6, !under)
			break
		}
		victim.kill()
		interrupted = victim == late || r.received(late) == 0
		r.figure("%v killed after %.0f MB", victim, float64(at)/1e6)
		r.must(victim.up())
	}
	r.network.slowDown(0)
	r.leaderOf(shard, nodes)
	r.convergeWithin(4*patience, shard, nodes)
	if interrupted && r.received(late) == 0 {
		r.complain("node %v is whole, but nothing was sent to it again", late)
	}
	s.propose(late, pipe.Put("a", "b"))
	r.converge(shard, nodes)
	return interrupted
}

// inTransfer waits until a third of a snapshot has passed the network, or until the receiver has got all
// of it, up to the index, and returns how many bytes have passed, and whether it was still under way.
func (r *run) inTransfer(size uint64, receiver *node, index uint64) (uint64, bool) {
	start := r.network.traffic().bytes
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		moved := r.network.traffic().bytes - start
		over := r.received(receiver) > 0 || r.isAt(receiver, index)
		if over || moved > size/3 {
			return moved, !over
		}
	}
	r.fatal("no snapshot was sent")
	return 0, false
}

// isAt tells whether the node has applied what is up to the index.
func (r *run) isAt(n *node, index uint64) bool {
	reply, err := n.call(pipe.Request{Cmd: "state", Shard: shard})
	return err == nil && reply.State.Index >= index
}

// leads tells whether the node takes itself for the leader.
func (r *run) leads(n *node) bool {
	reply, err := n.call(pipe.Request{Cmd: "leader", Shard: shard})
	return err == nil && reply.Leader == n.replica
}
