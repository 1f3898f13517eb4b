// SPDX-License-Identifier: Apache-2.0
#include "raft/raft.h"

#include <utility>

#include "base/check.h"
#include "raft/core.h"

namespace drumbeat::raft {

/// The core and whose it is, so that a failed check names the replica.
class Raft::Impl {
 public:
  Impl(const Options& options, const StoredState& stored, const LogReader& log)
      : shard(options.shard), replica(options.replica), core(options, stored, log) {}

  const ShardId shard;
  const ReplicaId replica;
  Core core;
};

namespace {

base::ReplicaScope ScopeOf(const auto& impl) {
  return base::ReplicaScope(impl.shard, impl.replica);
}

}  // namespace

Raft::Raft(const Options& options, const StoredState& stored, const LogReader& log) {
  const base::ReplicaScope scope(options.shard, options.replica);
  impl_ = std::make_unique<Impl>(options, stored, log);
}
Raft::~Raft() = default;
Raft::Raft(Raft&&) noexcept = default;

void Raft::Tick() {
  const auto scope = ScopeOf(*impl_);
  impl_->core.Tick();
}
void Raft::Step(Envelope envelope) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.Step(std::move(envelope));
}
void Raft::Propose(std::vector<Entry> entries) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.Propose(std::move(entries));
}
void Raft::ReadIndex(ReadContext context) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.ReadIndex(context);
}
void Raft::TransferLeadership(ReplicaId target) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.TransferLeadership(target);
}
void Raft::Saved(Term last_term, Index last_index) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.Saved(last_term, last_index);
}
void Raft::Applied(Index index) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.Applied(index);
}
void Raft::ConfigChangeApplied(Index index, bool accepted, const Membership& members) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.ConfigChangeApplied(index, accepted, members);
}
void Raft::SnapshotRestored(const SnapshotRecord& snapshot) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.SnapshotRestored(snapshot);
}
// The log is read through LogReader whenever it is needed, so a cut needs no bookkeeping here.
void Raft::SnapshotTaken(const SnapshotRecord&) {}
void Raft::SnapshotStatus(ReplicaId to, bool failed) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.SnapshotStatus(to, failed);
}
void Raft::Unreachable(ReplicaId to) {
  const auto scope = ScopeOf(*impl_);
  impl_->core.Unreachable(to);
}

bool Raft::HasOutput() const { return impl_->core.HasOutput(); }
Output Raft::TakeOutput() {
  const auto scope = ScopeOf(*impl_);
  return impl_->core.TakeOutput();
}

Role Raft::role() const { return impl_->core.role(); }
Term Raft::term() const { return impl_->core.term(); }
ReplicaId Raft::leader() const { return impl_->core.leader(); }
Index Raft::committed() const { return impl_->core.committed(); }
bool Raft::quiesced() const { return impl_->core.quiesced(); }
Status Raft::status() const { return impl_->core.status(); }
std::uint64_t Raft::in_memory_bytes() const { return impl_->core.in_memory_bytes(); }
const std::optional<std::string>& Raft::complaint() const { return impl_->core.complaint(); }

}  // namespace drumbeat::raft
