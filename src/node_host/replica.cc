// SPDX-License-Identifier: Apache-2.0
#include "node_host/replica.h"

#include <utility>

namespace drumbeat::node_host {

Replica::Replica(const Services& services, const ReplicaConfig& config, const ReplicaStart& start,
                 std::unique_ptr<state_machine::Runtime> runtime, std::size_t max_receive_bytes,
                 std::function<void(const std::shared_ptr<Replica>&)> notify)
    : state_(std::make_shared<ReplicaState>(services, config, start.seed, max_receive_bytes)),
      notify_(std::move(notify)),
      applier_(std::make_shared<Applier>(state_, std::move(runtime), [this] { Notify(); })),
      raft_(*state_, applier_, start) {}

}  // namespace drumbeat::node_host
