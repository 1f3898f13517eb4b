// SPDX-License-Identifier: Apache-2.0
#include "simulation/watched_snapshots.h"

#include <algorithm>
#include <string>
#include <utility>

#include "codec/snapshot_image.h"

namespace drumbeat::simulation {
namespace {

using Seen = std::function<void(const StoredImage&)>;

class WatchedSink : public storage::SnapshotSink {
 public:
  WatchedSink(std::unique_ptr<storage::SnapshotSink> sink, const ReplicaRef& replica,
              const Seen& seen)
      : sink_(std::move(sink)), replica_(replica), seen_(seen) {}

  Result<void> Append(std::string_view bytes) override {
    const std::size_t of_header =
        std::min(bytes.size(), codec::kImageHeaderBytes - std::min(codec::kImageHeaderBytes, at_));
    at_ += bytes.size();
    // In one piece or in many, the same bytes give the same hash.
    for (const char byte : bytes.substr(of_header)) {
      content_ = (content_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    }
    return sink_->Append(bytes);
  }
  Result<void> Rewrite(std::string_view head) override { return sink_->Rewrite(head); }
  Result<void> Commit(const raft::SnapshotRecord& record) override {
    Result<void> committed = sink_->Commit(record);
    if (committed) seen_({.replica = replica_, .record = record, .content = content_});
    return committed;
  }

 private:
  const std::unique_ptr<storage::SnapshotSink> sink_;
  const ReplicaRef replica_;
  const Seen& seen_;
  std::size_t at_ = 0;
  std::uint64_t content_ = 0xcbf29ce484222325u;
};

class WatchedStore : public storage::SnapshotStore {
 public:
  WatchedStore(std::unique_ptr<storage::SnapshotStore> store, Seen seen)
      : store_(std::move(store)), seen_(std::move(seen)) {}

  Result<std::unique_ptr<storage::SnapshotSink>> Create(const ReplicaRef& replica) override {
    Result<std::unique_ptr<storage::SnapshotSink>> sink = store_->Create(replica);
    if (!sink) return sink;
    return std::make_unique<WatchedSink>(std::move(*sink), replica, seen_);
  }
  Result<std::optional<raft::SnapshotRecord>> Newest(const ReplicaRef& replica) override {
    return store_->Newest(replica);
  }
  Result<std::unique_ptr<SnapshotReader>> Open(const ReplicaRef& replica, Index index) override {
    return store_->Open(replica, index);
  }
  Result<void> Remove(const ReplicaRef& replica) override { return store_->Remove(replica); }

 private:
  const std::unique_ptr<storage::SnapshotStore> store_;
  const Seen seen_;
};

}  // namespace

std::unique_ptr<storage::SnapshotStore> Watch(std::unique_ptr<storage::SnapshotStore> store,
                                              std::function<void(const StoredImage&)> seen) {
  return std::make_unique<WatchedStore>(std::move(store), std::move(seen));
}

}  // namespace drumbeat::simulation
