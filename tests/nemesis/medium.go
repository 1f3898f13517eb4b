// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand"
	"sync"
	"syscall"
	"time"
)

const sectorBytes = 512

// medium is a disk with a volatile write cache: what was written is read back at once, but only a
// sync makes it survive a power cut. It also obeys orders to be slow, stuck or broken.
//
// Any goroutine may call any method; a stuck or slow disk makes its callers wait.
type medium struct {
	mutex   sync.Mutex
	changed *sync.Cond
	image   []byte           // what is read
	undo    map[int64][]byte // by sector: its durable content, where that differs in age from image

	stuck     bool          // requests wait
	dead      bool          // requests fail, also those that wait
	syncDelay time.Duration // of each sync, before it takes effect
	failSyncs int           // so many more
	failAll   bool          // writes fail, too

	syncs   uint64
	writes  uint64
	refused uint64 // syncs, since the disk's start
}

func newMedium(size int) (*medium, error) {
	image, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	m := &medium{image: image, undo: make(map[int64][]byte)}
	m.changed = sync.NewCond(&m.mutex)
	return m, nil
}

// set changes the disk's behaviour; those who wait see it.
func (m *medium) set(change func()) {
	m.mutex.Lock()
	change()
	m.mutex.Unlock()
	m.changed.Broadcast()
}

// admit waits while the disk is stuck; with the mutex.
func (m *medium) admit() bool {
	for m.stuck && !m.dead {
		m.changed.Wait()
	}
	return !m.dead
}

// read fills `out` from `offset`, which must be inside.
func (m *medium) read(out []byte, offset int64) syscall.Errno {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if !m.admit() || offset < 0 || offset > int64(len(m.image)) {
		return syscall.EIO
	}
	copy(out, m.image[offset:])
	return 0
}

func (m *medium) write(data []byte, offset int64) syscall.Errno {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if !m.admit() || m.failAll || offset < 0 || offset+int64(len(data)) > int64(len(m.image)) {
		return syscall.EIO
	}
	first, end := offset/sectorBytes, (offset+int64(len(data))+sectorBytes-1)/sectorBytes
	for sector := first; sector < end; sector++ {
		if _, known := m.undo[sector]; !known {
			m.undo[sector] = append([]byte(nil), m.sector(sector)...)
		}
	}
	copy(m.image[offset:], data)
	m.writes++
	return 0
}

// sync makes what was written before durable.
func (m *medium) sync() syscall.Errno {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if delay := m.syncDelay; delay > 0 {
		m.mutex.Unlock()
		time.Sleep(delay)
		m.mutex.Lock()
	}
	if !m.admit() {
		return syscall.EIO
	}
	if m.failAll || m.failSyncs > 0 {
		if m.failSyncs > 0 {
			m.failSyncs--
		}
		m.loseHalf()
		m.refused++
		return syscall.EIO
	}
	m.undo = make(map[int64][]byte)
	m.syncs++
	return 0
}

// loseHalf is what a failed sync does: of what was to become durable a part is, the other part is
// gone, and no later sync brings it back. Whoever only tries again loses data.
func (m *medium) loseHalf() {
	for sector, content := range m.undo {
		if uint64(sector)%2 == m.refused%2 {
			copy(m.sector(sector), content)
		}
	}
	m.undo = make(map[int64][]byte)
}

// cut takes the power away: from now on all requests wait, until die. Of the sectors written since
// the last sync each survives with probability `survival`; the others have their durable content.
// How many were lost.
func (m *medium) cut(survival float64, random *rand.Rand) int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.stuck = true
	lost := 0
	for sector, content := range m.undo {
		if random.Float64() >= survival {
			copy(m.sector(sector), content)
			lost++
		}
	}
	m.undo = make(map[int64][]byte)
	return lost
}

// die makes all requests fail, also those that wait.
func (m *medium) die() { m.set(func() { m.dead = true }) }

// revive is the disk's next start, whole again.
func (m *medium) revive() {
	m.set(func() {
		m.stuck, m.dead, m.failSyncs, m.failAll, m.syncDelay, m.refused = false, false, 0, false, 0, 0
	})
}

// refusedSyncs is how many syncs failed since the disk's start.
func (m *medium) refusedSyncs() uint64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.refused
}

func (m *medium) sector(number int64) []byte {
	return m.image[number*sectorBytes : (number+1)*sectorBytes]
}
