// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"math/rand"
	"syscall"
	"testing"
	"time"
)

func testMedium(t *testing.T) *medium {
	m, err := newMedium(64 * sectorBytes)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *medium) content(t *testing.T, offset int64, size int) []byte {
	out := make([]byte, size)
	if err := m.read(out, offset); err != 0 {
		t.Fatal(err)
	}
	return out
}

func fill(value byte, size int) []byte { return bytes.Repeat([]byte{value}, size) }

func TestCutKeepsWhatWasSyncedAndNothingElse(t *testing.T) {
	m := testMedium(t)
	m.write(fill(1, 1000), 100)
	m.sync()
	m.write(fill(2, 1000), 300)
	m.write(fill(3, 1000), 600) // a sector written twice goes back to what was synced
	if got := m.content(t, 700, 1); got[0] != 3 {
		t.Fatal("a write is not read back")
	}
	if lost := m.cut(0, rand.New(rand.NewSource(1))); lost != 4 {
		t.Fatalf("lost %d sectors", lost)
	}
	m.revive()
	if got := m.content(t, 100, 1000); !bytes.Equal(got, fill(1, 1000)) {
		t.Fatal("synced data is gone")
	}
	if got := m.content(t, 1100, 500); !bytes.Equal(got, fill(0, 500)) {
		t.Fatal("unsynced data is still there")
	}
}

func TestCutMayKeepSomeSectors(t *testing.T) {
	m := testMedium(t)
	m.write(fill(1, 64*sectorBytes), 0)
	lost := m.cut(0.5, rand.New(rand.NewSource(1)))
	m.revive()
	zeros := 0
	for sector := int64(0); sector < 64; sector++ {
		content := m.content(t, sector*sectorBytes, sectorBytes)
		if bytes.Equal(content, fill(0, sectorBytes)) {
			zeros++
		} else if !bytes.Equal(content, fill(1, sectorBytes)) {
			t.Fatal("a sector is torn")
		}
	}
	if zeros != lost || lost == 0 || lost == 64 {
		t.Fatalf("%d sectors lost, %d said", zeros, lost)
	}
}

func TestFailedSyncLosesWhatNoRetryBringsBack(t *testing.T) {
	m := testMedium(t)
	m.failSyncs = 1
	m.write(fill(1, 2*sectorBytes), 0)
	if err := m.sync(); err != syscall.EIO || m.refusedSyncs() != 1 {
		t.Fatal(err)
	}
	if err := m.sync(); err != 0 {
		t.Fatal(err)
	}
	m.cut(0, rand.New(rand.NewSource(1)))
	m.revive()
	if m.content(t, 0, 1)[0] != 0 {
		t.Fatal("all is durable after a failed sync")
	}
	if m.content(t, sectorBytes, 1)[0] != 1 {
		t.Fatal("nothing is durable after a failed sync")
	}
}

func TestStuckRequestsWaitAndFailWhenTheDiskDies(t *testing.T) {
	m := testMedium(t)
	m.cut(0, rand.New(rand.NewSource(1)))
	result := make(chan syscall.Errno)
	go func() { result <- m.sync() }()
	select {
	case <-result:
		t.Fatal("a sync returned after the power was cut")
	case <-time.After(20 * time.Millisecond):
	}
	m.die()
	if err := <-result; err != syscall.EIO {
		t.Fatal(err)
	}
}

func TestOutOfBoundsIsRefused(t *testing.T) {
	m := testMedium(t)
	if m.write(fill(1, 2), 64*sectorBytes-1) != syscall.EIO || m.read(nil, -1) != syscall.EIO {
		t.Fatal("accepted")
	}
}
