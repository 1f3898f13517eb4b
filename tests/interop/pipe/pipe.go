// SPDX-License-Identifier: Apache-2.0

// Package pipe holds the lines that the driver and a node process exchange: one JSON request a line
// on the node's stdin, one JSON reply a line on its stdout, in any order, matched by id. README.md
// describes them; drumbeat_node.cc speaks the same.
package pipe

import "encoding/hex"

// Bytes travels as lower-case hexadecimal text.
type Bytes []byte

func (b Bytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *Bytes) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	*b = raw
	return err
}

// TLS names the files of mutual TLS.
type TLS struct {
	CA   string `json:"ca"`
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// Request is one command; which fields count depends on Cmd.
type Request struct {
	ID  uint64 `json:"id"`
	Cmd string `json:"cmd"`

	// host: opens the node host.
	Address      string `json:"address,omitempty"`
	Dir          string `json:"dir,omitempty"`
	TickMs       uint64 `json:"tick_ms,omitempty"`
	DeploymentID uint64 `json:"deployment_id,omitempty"`
	TLS          *TLS   `json:"tls,omitempty"`

	// Whom it is about.
	Shard   uint64 `json:"shard,omitempty"`
	Replica uint64 `json:"replica,omitempty"`

	// start: starts a replica.
	Members             map[uint64]string `json:"members,omitempty"`
	Join                bool              `json:"join,omitempty"`
	Role                string            `json:"role,omitempty"`    // voter (also when empty), nonvoting, witness
	Machine             string            `json:"machine,omitempty"` // kv (also when empty), counter
	ElectionTicks       uint64            `json:"election_ticks,omitempty"`
	HeartbeatTicks      uint64            `json:"heartbeat_ticks,omitempty"`
	CheckQuorum         bool              `json:"check_quorum,omitempty"`
	PreVote             bool              `json:"pre_vote,omitempty"`
	Quiesce             bool              `json:"quiesce,omitempty"`
	OrderedConfigChange bool              `json:"ordered_config_change,omitempty"`
	SnapshotEntries     uint64            `json:"snapshot_entries,omitempty"`
	CompactionOverhead  uint64            `json:"compaction_overhead,omitempty"` // also: snapshot
	SnapshotCompression bool              `json:"snapshot_compression,omitempty"`
	EntryCompression    bool              `json:"entry_compression,omitempty"`
	MaxLogBytes         uint64            `json:"max_log_bytes,omitempty"` // in memory

	// propose, close_session: client 0 is the session without duplicate suppression.
	Client    uint64 `json:"client,omitempty"`
	Series    uint64 `json:"series,omitempty"`
	Command   Bytes  `json:"command,omitempty"`
	TimeoutMs uint64 `json:"timeout_ms,omitempty"`

	// read, stale.
	Key string `json:"key,omitempty"`

	// add, add_nonvoting, add_witness (with Address); remove; transfer (Replica is the target).
	ConfigChangeID uint64 `json:"config_change_id,omitempty"`
}

// What may be said of a request that failed.
const (
	DidNotHappen = "no"
	Unknown      = "unknown"
)

// Membership is a shard's members.
type Membership struct {
	ConfigChangeID uint64            `json:"config_change_id"`
	Voters         map[uint64]string `json:"voters"`
	NonVotings     map[uint64]string `json:"non_votings"`
	Witnesses      map[uint64]string `json:"witnesses"`
	Removed        []uint64          `json:"removed"` // ascending
}

// State is what a replica's state machine holds. Count and Chain cover the order of all commands,
// Hash the content (0 for the counter machine, whose content is its count).
type State struct {
	Count uint64 `json:"count"`
	Index uint64 `json:"index"` // of the last command; 0 for the counter machine
	Chain uint64 `json:"chain"`
	Hash  uint64 `json:"hash"`
	Keys  uint64 `json:"keys"`
	Bytes uint64 `json:"bytes"`
}

// Stats counts what a node host's listeners were told.
type Stats struct {
	LeaderChanges      uint64 `json:"leader_changes"`
	SnapshotsTaken     uint64 `json:"snapshots_taken"`
	SnapshotsSent      uint64 `json:"snapshots_sent"`
	SnapshotsFailed    uint64 `json:"snapshots_failed"`
	SnapshotsReceived  uint64 `json:"snapshots_received"`
	SnapshotsRecovered uint64 `json:"snapshots_recovered"`
	LogCompactions     uint64 `json:"log_compactions"`
}

// Reply answers one request. Error empty: it succeeded, and the fields that belong to it are set.
type Reply struct {
	ID      uint64 `json:"id"`
	Error   string `json:"error,omitempty"`
	Outcome string `json:"outcome,omitempty"` // with Error: no or unknown

	Value      uint64      `json:"value,omitempty"`   // propose: result
	Data       Bytes       `json:"data,omitempty"`    // propose: result
	Client     uint64      `json:"client,omitempty"`  // open_session
	Found      bool        `json:"found,omitempty"`   // read, stale
	Content    Bytes       `json:"content,omitempty"` // read, stale: the value, if at most 64 KiB
	Size       uint64      `json:"size,omitempty"`    // read, stale
	Hash       uint64      `json:"hash,omitempty"`    // read, stale: FNV-1a of the value
	State      *State      `json:"state,omitempty"`
	Membership *Membership `json:"membership,omitempty"`
	Leader     uint64      `json:"leader,omitempty"` // leader
	Term       uint64      `json:"term,omitempty"`   // leader
	Index      uint64      `json:"index,omitempty"`  // snapshot
	Stats      *Stats      `json:"stats,omitempty"`
}
