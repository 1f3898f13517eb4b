// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	dragonboat "github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	sm "github.com/lni/dragonboat/v4/statemachine"
)

const (
	helloShard   = 128
	helloTimeout = 3 * time.Second
)

var helloAddresses = map[uint64]string{1: "localhost:63001", 2: "localhost:63002", 3: "localhost:63003"}

// helloworld behaves as Dragonboat's tutorial program: replica of shard 128, messages typed on
// stdin, `add ADDR ID` and `remove ID`, `exit`, a linearizable read every ten seconds.
func helloworld(args []string) error {
	flags := flag.NewFlagSet("helloworld", flag.ExitOnError)
	id := flags.Uint64("replicaid", 1, "replica id")
	addr := flags.String("addr", "", "address, needed for ids other than 1, 2, 3")
	join := flags.Bool("join", false, "joins a running group")
	flags.Parse(args)
	address := *addr
	if address == "" {
		address = helloAddresses[*id]
	}
	if address == "" {
		return fmt.Errorf("node id must be 1, 2 or 3 when address is not specified")
	}
	members := helloAddresses
	if *join {
		members = nil
	}
	fmt.Printf("node address: %s\n", address)
	dir := filepath.Join("example-data", "helloworld-data", fmt.Sprintf("node%d", *id))
	nh, err := dragonboat.NewNodeHost(config.NodeHostConfig{
		NodeHostDir: dir, WALDir: dir, RTTMillisecond: 200, RaftAddress: address,
	})
	if err != nil {
		return err
	}
	defer nh.Close()
	machine := func(uint64, uint64) sm.IStateMachine { return &counter{print: os.Stdout} }
	err = nh.StartReplica(members, *join, machine, config.Config{
		ReplicaID: *id, ShardID: helloShard, ElectionRTT: 10, HeartbeatRTT: 1, CheckQuorum: true,
		SnapshotEntries: 10, CompactionOverhead: 5,
	})
	if err != nil {
		return fmt.Errorf("failed to add cluster, %w", err)
	}
	go countForEver(nh)
	obeyTyped(nh)
	return nil
}

func countForEver(nh *dragonboat.NodeHost) {
	for range time.Tick(10 * time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), helloTimeout)
		if found, err := nh.SyncRead(ctx, helloShard, nil); err == nil {
			fmt.Printf("count: %d\n", found.(answer).state.Count)
		}
		cancel()
	}
}

// obeyTyped handles one typed line after the other until `exit` or the end of stdin, after which
// the original goes on serving.
func obeyTyped(nh *dragonboat.NodeHost) {
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			select {}
		}
		if line == "exit\n" {
			return
		}
		typed(nh, strings.TrimSuffix(line, "\n"))
	}
}

func typed(nh *dragonboat.NodeHost, line string) {
	ctx, cancel := context.WithTimeout(context.Background(), helloTimeout)
	defer cancel()
	change, err := membershipChange(ctx, nh, strings.Split(line, " "))
	switch {
	case change && err == nil:
		fmt.Println("membership change completed successfully")
	case change:
		fmt.Fprintf(os.Stderr, "membership change failed, %v\n", err)
	default:
		if _, err := nh.SyncPropose(ctx, nh.GetNoOPSession(helloShard), []byte(line)); err != nil {
			fmt.Fprintf(os.Stderr, "SyncPropose returned error %v\n", err)
		}
	}
}

// membershipChange obeys the line if it is a membership change, and says whether it is.
func membershipChange(ctx context.Context, nh *dragonboat.NodeHost, words []string) (bool, error) {
	if len(words) == 3 && strings.EqualFold(words[0], "add") {
		if id, err := strconv.ParseUint(words[2], 10, 64); err == nil {
			return true, nh.SyncRequestAddReplica(ctx, helloShard, id, words[1], 0)
		}
	}
	if (len(words) == 2 || len(words) == 3) && strings.EqualFold(words[0], "remove") {
		if id, err := strconv.ParseUint(words[1], 10, 64); err == nil {
			return true, nh.SyncRequestDeleteReplica(ctx, helloShard, id, 0)
		}
	}
	return false, nil
}
