// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"sync"
	"sync/atomic"

	dragonboat "github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	sm "github.com/lni/dragonboat/v4/statemachine"

	"drumbeat/interop/pipe"
)

// host is the process's NodeHost and what its listeners have counted.
type host struct {
	mutex sync.Mutex
	nh    *dragonboat.NodeHost
	counters
}

func (h *host) open(r *pipe.Request) error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.nh != nil {
		return errors.New("the node host is open already")
	}
	logdb := config.GetTinyMemLogDBConfig()
	logdb.Shards = 2
	engine := config.GetDefaultEngineConfig()
	engine.ExecShards, engine.CommitShards, engine.ApplyShards = 2, 2, 2
	engine.SnapshotShards, engine.CloseShards = 4, 4
	cfg := config.NodeHostConfig{
		NodeHostDir:         r.Dir,
		WALDir:              r.Dir,
		RTTMillisecond:      r.TickMs,
		RaftAddress:         r.Address,
		DeploymentID:        r.DeploymentID,
		RaftEventListener:   &h.counters,
		SystemEventListener: &h.counters,
		Expert:              config.ExpertConfig{Engine: engine, LogDB: logdb},
	}
	if r.TLS != nil {
		cfg.MutualTLS, cfg.CAFile, cfg.CertFile, cfg.KeyFile = true, r.TLS.CA, r.TLS.Cert, r.TLS.Key
	}
	nh, err := dragonboat.NewNodeHost(cfg)
	h.nh = nh
	return err
}

func (h *host) close() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.nh != nil {
		h.nh.Close()
	}
}

func (h *host) start(r *pipe.Request) error {
	compression := func(on bool) config.CompressionType {
		if on {
			return config.Snappy
		}
		return config.NoCompression
	}
	var factory func(uint64, uint64) sm.IStateMachine = newKV
	if r.Machine == "counter" {
		factory = newCounter
	}
	return h.nh.StartReplica(r.Members, r.Join, factory, config.Config{
		ShardID:                 r.Shard,
		ReplicaID:               r.Replica,
		ElectionRTT:             r.ElectionTicks,
		HeartbeatRTT:            r.HeartbeatTicks,
		CheckQuorum:             r.CheckQuorum,
		PreVote:                 r.PreVote,
		Quiesce:                 r.Quiesce,
		OrderedConfigChange:     r.OrderedConfigChange,
		SnapshotEntries:         r.SnapshotEntries,
		CompactionOverhead:      r.CompactionOverhead,
		SnapshotCompressionType: compression(r.SnapshotCompression),
		EntryCompressionType:    compression(r.EntryCompression),
		MaxInMemLogSize:         r.MaxLogBytes,
		IsNonVoting:             r.Role == "nonvoting",
		IsWitness:               r.Role == "witness",
	})
}

// counters counts events; Dragonboat calls it from threads of its own.
type counters struct {
	leaders, taken, sent, failed, received, recovered, compacted atomic.Uint64
}

func (c *counters) stats() *pipe.Stats {
	return &pipe.Stats{
		LeaderChanges: c.leaders.Load(), SnapshotsTaken: c.taken.Load(), SnapshotsSent: c.sent.Load(),
		SnapshotsFailed: c.failed.Load(), SnapshotsReceived: c.received.Load(),
		SnapshotsRecovered: c.recovered.Load(), LogCompactions: c.compacted.Load(),
	}
}

func (c *counters) LeaderUpdated(info raftio.LeaderInfo) {
	if info.LeaderID != 0 {
		c.leaders.Add(1)
	}
}
func (c *counters) NodeHostShuttingDown()                       {}
func (c *counters) NodeUnloaded(raftio.NodeInfo)                {}
func (c *counters) NodeDeleted(raftio.NodeInfo)                 {}
func (c *counters) NodeReady(raftio.NodeInfo)                   {}
func (c *counters) MembershipChanged(raftio.NodeInfo)           {}
func (c *counters) ConnectionEstablished(raftio.ConnectionInfo) {}
func (c *counters) ConnectionFailed(raftio.ConnectionInfo)      {}
func (c *counters) SendSnapshotStarted(raftio.SnapshotInfo)     {}
func (c *counters) SendSnapshotCompleted(raftio.SnapshotInfo)   { c.sent.Add(1) }
func (c *counters) SendSnapshotAborted(raftio.SnapshotInfo)     { c.failed.Add(1) }
func (c *counters) SnapshotReceived(raftio.SnapshotInfo)        { c.received.Add(1) }
func (c *counters) SnapshotRecovered(raftio.SnapshotInfo)       { c.recovered.Add(1) }
func (c *counters) SnapshotCreated(raftio.SnapshotInfo)         { c.taken.Add(1) }
func (c *counters) SnapshotCompacted(raftio.SnapshotInfo)       {}
func (c *counters) LogCompacted(raftio.EntryInfo)               { c.compacted.Add(1) }
func (c *counters) LogDBCompacted(raftio.EntryInfo)             {}
