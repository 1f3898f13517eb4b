// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "drumbeat/error.h"

#include "logging/logger.h"
#include "node_host/callback_queue.h"
#include "node_host/event_queue.h"
#include "node_host/scheduler.h"
#include "node_host/work_pool.h"
#include "storage/log_store.h"
#include "storage/snapshot_store.h"
#include "transport/transport.h"

namespace drumbeat::node_host {

/// What all replicas of a host share. Everything outlives every replica.
struct Services {
  Scheduler& scheduler;
  storage::LogStore& log_store;
  storage::SnapshotStore& snapshot_store;
  transport::Transport& transport;
  EventQueue& events;
  /// Runs state machines; snapshots, which take long, have a pool of their own.
  WorkPool& apply_pool;
  WorkPool& snapshot_pool;
  std::shared_ptr<CallbackQueue> callbacks;
  logging::Logger logger;
  /// Ticks since the host was opened.
  const std::atomic<std::uint64_t>& now_tick;
  std::uint64_t deployment_id = 1;
  /// What all replicas share failed: stop them all.
  std::function<void(const Error&)> fail_host;
};

}  // namespace drumbeat::node_host
