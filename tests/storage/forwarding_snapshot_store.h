// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "storage/snapshot_store.h"

namespace drumbeat::storage {

/// Hands everything on. What a test wants to see, it overrides.
class ForwardingSnapshotSink : public SnapshotSink {
 public:
  explicit ForwardingSnapshotSink(std::unique_ptr<SnapshotSink> sink) : sink_(std::move(sink)) {}
  Result<void> Append(std::string_view bytes) override { return sink_->Append(bytes); }
  Result<void> Rewrite(std::string_view head) override { return sink_->Rewrite(head); }
  Result<void> Commit(const raft::SnapshotRecord& record) override { return sink_->Commit(record); }

 private:
  const std::unique_ptr<SnapshotSink> sink_;
};

class ForwardingSnapshotStore : public SnapshotStore {
 public:
  explicit ForwardingSnapshotStore(std::unique_ptr<SnapshotStore> store)
      : store_(std::move(store)) {}
  Result<std::unique_ptr<SnapshotSink>> Create(const ReplicaRef& replica) override {
    return store_->Create(replica);
  }
  Result<std::optional<raft::SnapshotRecord>> Newest(const ReplicaRef& replica) override {
    return store_->Newest(replica);
  }
  Result<std::unique_ptr<SnapshotReader>> Open(const ReplicaRef& replica, Index index) override {
    return store_->Open(replica, index);
  }
  Result<void> Remove(const ReplicaRef& replica) override { return store_->Remove(replica); }

 private:
  const std::unique_ptr<SnapshotStore> store_;
};

/// Every sink is a `Sink`, made of what it stands for and of `context`, which outlives the store.
template <class Sink, class Context>
class SinkWrappingStore : public ForwardingSnapshotStore {
 public:
  SinkWrappingStore(std::unique_ptr<SnapshotStore> store, Context& context)
      : ForwardingSnapshotStore(std::move(store)), context_(context) {}
  Result<std::unique_ptr<SnapshotSink>> Create(const ReplicaRef& replica) override {
    auto sink = ForwardingSnapshotStore::Create(replica);
    if (!sink) return sink;
    return std::make_unique<Sink>(std::move(*sink), context_);
  }

 private:
  Context& context_;
};

}  // namespace drumbeat::storage
