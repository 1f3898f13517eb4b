// SPDX-License-Identifier: Apache-2.0
#include "simulation/plan.h"

#include <utility>

namespace drumbeat::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

ShardSettings DrawSettings(World& world) {
  ShardSettings settings;
  settings.snapshot_entries = world.Chance(70) ? 5 + world.random.Below(60) : 0;
  settings.compaction_overhead = world.random.Below(10);
  settings.check_quorum = world.Chance(80);
  settings.pre_vote = world.Chance(40);
  settings.quiesce = world.Chance(15);
  settings.compression = world.Chance(30) ? Compression::kSnappy : Compression::kNone;
  return settings;
}

NetworkFaults DrawNetwork(World& world) {
  NetworkFaults faults;
  if (world.Chance(60)) faults.loss_percent = 1 + world.random.Below(15);
  if (world.Chance(50)) faults.duplicate_percent = 1 + world.random.Below(20);
  if (world.Chance(50)) {
    faults.slow_percent = 1 + world.random.Below(20);
    faults.slow = milliseconds(5 + world.random.Below(2500));
  }
  return faults;
}

PipeFaults DrawPipes(World& world) {
  PipeFaults faults;
  if (world.Chance(50)) faults.lost_percent = 1 + world.random.Below(10);
  if (world.Chance(50)) faults.reset_permille = 1 + world.random.Below(30);
  if (world.Chance(30)) faults.flip_permille = 1 + world.random.Below(10);
  if (world.Chance(50)) {
    faults.slow_percent = 1 + world.random.Below(20);
    faults.slow = milliseconds(5 + world.random.Below(2500));
  }
  return faults;
}

}  // namespace

Plan Plan::Draw(World& world) {
  Plan plan;
  plan.founders = world.Chance(25) ? 5 : 3;
  plan.shards = world.Chance(30) ? 2 + world.random.Below(2) : 1;
  plan.changes = world.Chance(40);
  plan.spares = plan.changes ? 2 : 0;
  plan.settings = DrawSettings(world);
  plan.streams = world.Chance(40);
  if (plan.streams) {
    plan.pipes = DrawPipes(world);
  } else {
    plan.network = DrawNetwork(world);
  }
  plan.partitions = world.Chance(60);
  plan.crashes = world.Chance(60);
  plan.pauses = world.Chance(40);
  plan.transfers = world.Chance(40);
  plan.requested_snapshots = world.Chance(20);
  plan.disks.failing = world.Chance(20);
  plan.disks.full = world.Chance(15);
  plan.disks.slow = world.Chance(25);
  // A replica that lost its data is out for good: not where removals take others out.
  plan.disks.flips = !plan.changes && world.Chance(20);
  plan.lull = plan.settings.quiesce || world.Chance(5);
  if (world.Chance(8)) {
    plan.command_bytes = 200 * 1024;
    if (world.Chance(50)) plan.settings.max_in_memory_log_bytes = 512 * 1024;
  }
  plan.duration = seconds(40 + world.random.Below(80)) + (plan.lull ? seconds(70) : seconds(0));
  return plan;
}

std::string Plan::Describe() const {
  std::string text = std::to_string(founders) + " founders";
  if (shards > 1) text += ", " + std::to_string(shards) + " shards";
  const std::pair<bool, const char*> kinds[] = {
      {streams, "connections"},
      {pipes.reset_permille > 0, "resets"},
      {pipes.flip_permille > 0, "flipped bits on the wire"},
      {network.loss_percent + pipes.lost_percent > 0, "loss"},
      {network.duplicate_percent > 0, "duplicates"},
      {network.slow_percent + pipes.slow_percent > 0, "delays"},
      {partitions, "partitions"},
      {crashes, "crashes"},
      {pauses, "pauses"},
      {transfers, "transfers"},
      {changes, "membership changes"},
      {requested_snapshots, "snapshots on request"},
      {disks.failing, "failing disks"},
      {disks.full, "full disks"},
      {disks.slow, "slow disks"},
      {disks.flips, "flipped bits"},
      {command_bytes > 0, "large commands"},
      {lull, "lull"},
      {!settings.check_quorum, "no quorum check"},
      {settings.pre_vote, "pre-vote"},
      {settings.quiesce, "quiescence"},
  };
  for (const auto& [there, name] : kinds) {
    if (there) text += std::string(", ") + name;
  }
  return text;
}

}  // namespace drumbeat::simulation
