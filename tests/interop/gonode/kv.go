// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	sm "github.com/lni/dragonboat/v4/statemachine"

	"drumbeat/interop/pipe"
)

const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
	maxFill   = 1 << 30
)

// kv is the agreed key-value machine. README.md fixes its commands, results and snapshot.
type kv struct {
	count, index, chain uint64
	values              map[string][]byte
}

func newKV(uint64, uint64) sm.IStateMachine {
	return &kv{chain: fnvOffset, values: make(map[string][]byte)}
}

// refused is the result of a command that does not parse; nothing but count and chain changes.
const refused = ^uint64(0)

func (m *kv) Update(e sm.Entry) (sm.Result, error) {
	m.count++
	m.index = e.Index
	for _, b := range e.Cmd {
		m.chain = (m.chain ^ uint64(b)) * fnvPrime
	}
	m.chain = (m.chain ^ uint64(len(e.Cmd))) * fnvPrime
	return m.apply(e.Cmd), nil
}

func (m *kv) apply(cmd []byte) sm.Result {
	if len(cmd) < 5 {
		return sm.Result{Value: refused}
	}
	op, size, rest := cmd[0], binary.LittleEndian.Uint32(cmd[1:5]), cmd[5:]
	if uint64(size) > uint64(len(rest)) {
		return sm.Result{Value: refused}
	}
	key, rest := string(rest[:size]), rest[size:]
	previous, present := m.values[key]
	switch op {
	case pipe.OpPut:
		m.values[key] = append([]byte(nil), rest...)
	case pipe.OpAppend:
		m.values[key] = append(previous[:len(previous):len(previous)], rest...)
	case pipe.OpFill:
		if len(rest) != 16 || binary.LittleEndian.Uint64(rest) > maxFill {
			return sm.Result{Value: refused}
		}
		m.values[key] = filled(binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:]))
	case pipe.OpDelete:
		delete(m.values, key)
	default:
		return sm.Result{Value: refused}
	}
	if !present {
		return sm.Result{}
	}
	return sm.Result{Value: uint64(len(previous)), Data: pipe.ResultData(previous)}
}

// filled makes size bytes from seed, every second kilobyte of them zero, so that half of it
// compresses.
func filled(size, seed uint64) []byte {
	out := make([]byte, size)
	state := seed | 1
	for i := range out {
		if i%2048 >= 1024 {
			continue
		}
		if i%8 == 0 {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
		}
		out[i] = byte(state >> (8 * (i % 8)))
	}
	return out
}

// query is what Lookup takes; an empty key with state asks for the whole state.
type query struct {
	key   string
	state bool
}

type answer struct {
	found bool
	value []byte
	state pipe.State
}

func (m *kv) Lookup(q any) (any, error) {
	query, ok := q.(query)
	if !ok {
		return nil, errors.New("unknown query")
	}
	if query.state {
		return answer{state: m.state()}, nil
	}
	value, found := m.values[query.key]
	return answer{found: found, value: value}, nil
}

func (m *kv) keys() []string {
	keys := make([]string, 0, len(m.values))
	for key := range m.values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func (m *kv) state() pipe.State {
	s := pipe.State{Count: m.count, Index: m.index, Chain: m.chain, Keys: uint64(len(m.values)), Hash: fnvOffset}
	mix := func(b []byte) {
		s.Hash = (s.Hash ^ pipe.Hash(b)) * fnvPrime
		s.Bytes += uint64(len(b))
	}
	for _, key := range m.keys() {
		mix([]byte(key))
		mix(m.values[key])
	}
	return s
}

func (m *kv) SaveSnapshot(w io.Writer, _ sm.ISnapshotFileCollection, _ <-chan struct{}) error {
	out := bufio.NewWriterSize(w, 1<<16)
	number := func(n uint64) { out.Write(binary.LittleEndian.AppendUint64(nil, n)) }
	number(m.count)
	number(m.index)
	number(m.chain)
	number(uint64(len(m.values)))
	for _, key := range m.keys() {
		number(uint64(len(key)))
		out.WriteString(key)
		number(uint64(len(m.values[key])))
		out.Write(m.values[key])
	}
	return out.Flush() // reports the first error of all writes
}

func (m *kv) RecoverFromSnapshot(r io.Reader, _ []sm.SnapshotFile, _ <-chan struct{}) error {
	in := bufio.NewReaderSize(r, 1<<16)
	var head [4]uint64
	if err := binary.Read(in, binary.LittleEndian, &head); err != nil {
		return err
	}
	*m = kv{count: head[0], index: head[1], chain: head[2], values: make(map[string][]byte)}
	text := func() ([]byte, error) {
		var size uint64
		if err := binary.Read(in, binary.LittleEndian, &size); err != nil {
			return nil, err
		}
		if size > maxFill {
			return nil, fmt.Errorf("length %d in a snapshot", size)
		}
		out := make([]byte, size)
		_, err := io.ReadFull(in, out)
		return out, err
	}
	for i := uint64(0); i < head[3]; i++ {
		key, err := text()
		if err != nil {
			return err
		}
		if m.values[string(key)], err = text(); err != nil {
			return err
		}
	}
	return nil
}

func (m *kv) Close() error { return nil }
