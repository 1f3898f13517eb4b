// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
)

// Bytes travels as lower-case hexadecimal text.
type Bytes []byte

func (b Bytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *Bytes) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	*b = raw
	return err
}

// Request is one line to a node; tests/interop/README.md describes the commands and their fields.
type Request struct {
	ID        uint64 `json:"id"`
	Cmd       string `json:"cmd"`
	TimeoutMs uint64 `json:"timeout_ms,omitempty"`

	Address      string `json:"address,omitempty"`
	Dir          string `json:"dir,omitempty"`
	TickMs       uint64 `json:"tick_ms,omitempty"`
	DeploymentID uint64 `json:"deployment_id,omitempty"`

	Shard   uint64 `json:"shard,omitempty"`
	Replica uint64 `json:"replica,omitempty"`

	Members             map[uint64]string `json:"members,omitempty"`
	ElectionTicks       uint64            `json:"election_ticks,omitempty"`
	HeartbeatTicks      uint64            `json:"heartbeat_ticks,omitempty"`
	CheckQuorum         bool              `json:"check_quorum,omitempty"`
	PreVote             bool              `json:"pre_vote,omitempty"`
	SnapshotEntries     uint64            `json:"snapshot_entries,omitempty"`
	CompactionOverhead  uint64            `json:"compaction_overhead,omitempty"`
	SnapshotCompression bool              `json:"snapshot_compression,omitempty"`
	EntryCompression    bool              `json:"entry_compression,omitempty"`

	Client  uint64 `json:"client,omitempty"` // 0: the session without duplicate suppression
	Series  uint64 `json:"series,omitempty"`
	Command Bytes  `json:"command,omitempty"`
	Key     string `json:"key,omitempty"`
}

// State is what a replica's state machine holds in short: Count and Chain cover the order of all
// commands, Hash the content.
type State struct {
	Count uint64 `json:"count"`
	Index uint64 `json:"index"`
	Chain uint64 `json:"chain"`
	Hash  uint64 `json:"hash"`
	Keys  uint64 `json:"keys"`
	Bytes uint64 `json:"bytes"`
}

// Reply answers one request. Error empty: it succeeded, and the fields that belong to it are set.
type Reply struct {
	ID      uint64 `json:"id"`
	Error   string `json:"error"`
	Outcome string `json:"outcome"` // with Error: no or unknown

	Value   uint64 `json:"value"`
	Data    Bytes  `json:"data"`
	Client  uint64 `json:"client"`
	Found   bool   `json:"found"`
	Content Bytes  `json:"content"`
	State   *State `json:"state"`
	Leader  uint64 `json:"leader"`
	Term    uint64 `json:"term"`
}

// The operations of the key-value machine.
const (
	opPut    = 'P'
	opAppend = 'A'
)

// command is an operation byte, the key's length, the key, and the operand.
func command(operation byte, key, operand string) Bytes {
	out := binary.LittleEndian.AppendUint32([]byte{operation}, uint32(len(key)))
	return append(append(out, key...), operand...)
}

// resultData is what an operation on a present value returns as its data: the value's hash and its
// last up to 16 bytes.
func resultData(previous string) string {
	hash := fnv.New64a()
	hash.Write([]byte(previous))
	out := binary.LittleEndian.AppendUint64(nil, hash.Sum64())
	if len(previous) > 16 {
		previous = previous[len(previous)-16:]
	}
	return string(out) + previous
}
