// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"sort"

	dragonboat "github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/client"

	"drumbeat/interop/pipe"
)

// maxContent is how much of a value a reply carries.
const maxContent = 64 << 10

func (h *host) obey(r *pipe.Request) (*pipe.Reply, error) {
	if r.Cmd == "host" {
		return &pipe.Reply{}, h.open(r)
	}
	if r.Cmd == "stats" {
		return &pipe.Reply{Stats: h.stats()}, nil
	}
	h.mutex.Lock()
	nh := h.nh
	h.mutex.Unlock()
	if nh == nil {
		return nil, errors.New("the node host is not open")
	}
	ctx, cancel := timeoutOf(r)
	defer cancel()
	switch r.Cmd {
	case "start":
		return &pipe.Reply{}, h.start(r)
	case "stop":
		return &pipe.Reply{}, nh.StopShard(r.Shard)
	case "propose", "open_session", "close_session":
		return proposal(ctx, nh, r)
	case "read", "stale", "state":
		return lookup(ctx, nh, r)
	case "add", "add_nonvoting", "add_witness", "remove":
		return &pipe.Reply{}, changeMembership(ctx, nh, r)
	case "membership":
		return membership(ctx, nh, r)
	case "transfer":
		return &pipe.Reply{}, nh.RequestLeaderTransfer(r.Shard, r.Replica)
	case "leader":
		leader, term, valid, err := nh.GetLeaderID(r.Shard)
		if !valid {
			leader = 0
		}
		return &pipe.Reply{Leader: leader, Term: term}, err
	case "snapshot":
		index, err := nh.SyncRequestSnapshot(ctx, r.Shard, dragonboat.SnapshotOption{
			CompactionOverhead: r.CompactionOverhead, OverrideCompactionOverhead: true})
		return &pipe.Reply{Index: index}, err
	}
	return nil, fmt.Errorf("unknown command %q", r.Cmd)
}

// sessionOf rebuilds the session from its numbers, so that any host can carry it on.
func sessionOf(nh *dragonboat.NodeHost, r *pipe.Request) *client.Session {
	if r.Client == 0 {
		return nh.GetNoOPSession(r.Shard)
	}
	session := &client.Session{ShardID: r.Shard, ClientID: r.Client, SeriesID: r.Series}
	if r.Series > 0 {
		session.RespondedTo = r.Series - 1
	}
	return session
}

func proposal(ctx context.Context, nh *dragonboat.NodeHost, r *pipe.Request) (*pipe.Reply, error) {
	switch r.Cmd {
	case "open_session":
		session, err := nh.SyncGetSession(ctx, r.Shard)
		if err != nil {
			return nil, err
		}
		return &pipe.Reply{Client: session.ClientID}, nil
	case "close_session":
		return &pipe.Reply{}, nh.SyncCloseSession(ctx, sessionOf(nh, r))
	}
	result, err := nh.SyncPropose(ctx, sessionOf(nh, r), r.Command)
	return &pipe.Reply{Value: result.Value, Data: result.Data}, err
}

func lookup(ctx context.Context, nh *dragonboat.NodeHost, r *pipe.Request) (*pipe.Reply, error) {
	var found any
	var err error
	q := query{key: r.Key, state: r.Cmd == "state"}
	if r.Cmd == "read" {
		found, err = nh.SyncRead(ctx, r.Shard, q)
	} else {
		found, err = nh.StaleRead(r.Shard, q)
	}
	if err != nil {
		return nil, err
	}
	answer, ok := found.(answer)
	if !ok {
		return nil, fmt.Errorf("a lookup answered %T", found)
	}
	if q.state {
		return &pipe.Reply{State: &answer.state}, nil
	}
	reply := &pipe.Reply{Found: answer.found, Size: uint64(len(answer.value)), Hash: pipe.Hash(answer.value)}
	if len(answer.value) <= maxContent {
		reply.Content = answer.value
	}
	return reply, nil
}

func changeMembership(ctx context.Context, nh *dragonboat.NodeHost, r *pipe.Request) error {
	switch r.Cmd {
	case "add":
		return nh.SyncRequestAddReplica(ctx, r.Shard, r.Replica, r.Address, r.ConfigChangeID)
	case "add_nonvoting":
		return nh.SyncRequestAddNonVoting(ctx, r.Shard, r.Replica, r.Address, r.ConfigChangeID)
	case "add_witness":
		return nh.SyncRequestAddWitness(ctx, r.Shard, r.Replica, r.Address, r.ConfigChangeID)
	}
	return nh.SyncRequestDeleteReplica(ctx, r.Shard, r.Replica, r.ConfigChangeID)
}

func membership(ctx context.Context, nh *dragonboat.NodeHost, r *pipe.Request) (*pipe.Reply, error) {
	m, err := nh.SyncGetShardMembership(ctx, r.Shard)
	if err != nil {
		return nil, err
	}
	removed := make([]uint64, 0, len(m.Removed))
	for replica := range m.Removed {
		removed = append(removed, replica)
	}
	sort.Slice(removed, func(a, b int) bool { return removed[a] < removed[b] })
	return &pipe.Reply{Membership: &pipe.Membership{
		ConfigChangeID: m.ConfigChangeID, Voters: m.Nodes, NonVotings: m.NonVotings,
		Witnesses: m.Witnesses, Removed: removed,
	}}, nil
}
