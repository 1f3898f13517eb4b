// SPDX-License-Identifier: Apache-2.0
#include "simulation/watched_snapshots.h"

#include <algorithm>
#include <string>
#include <utility>

#include "codec/snapshot_image.h"
#include "storage/forwarding_snapshot_store.h"

namespace drumbeat::simulation {
namespace {

class WatchedSink : public storage::ForwardingSnapshotSink {
 public:
  WatchedSink(std::unique_ptr<storage::SnapshotSink> sink, const ReplicaRef& replica,
              const SnapshotWatcher& watcher)
      : ForwardingSnapshotSink(std::move(sink)), replica_(replica), watcher_(watcher) {}

  Result<void> Append(std::string_view bytes) override {
    const std::size_t of_header =
        std::min(bytes.size(), codec::kImageHeaderBytes - std::min(codec::kImageHeaderBytes, at_));
    at_ += bytes.size();
    // In one piece or in many, the same bytes give the same hash.
    for (const char byte : bytes.substr(of_header)) {
      content_ = (content_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    }
    return ForwardingSnapshotSink::Append(bytes);
  }
  Result<void> Commit(const raft::SnapshotRecord& record) override {
    Result<void> committed = ForwardingSnapshotSink::Commit(record);
    if (committed) watcher_.stored({.replica = replica_, .record = record, .content = content_});
    return committed;
  }

 private:
  const ReplicaRef replica_;
  const SnapshotWatcher& watcher_;
  std::size_t at_ = 0;
  std::uint64_t content_ = 0xcbf29ce484222325u;
};

class WatchedStore : public storage::ForwardingSnapshotStore {
 public:
  WatchedStore(std::unique_ptr<storage::SnapshotStore> store, SnapshotWatcher watcher)
      : ForwardingSnapshotStore(std::move(store)), watcher_(std::move(watcher)) {}

  Result<std::unique_ptr<storage::SnapshotSink>> Create(const ReplicaRef& replica) override {
    Result<std::unique_ptr<storage::SnapshotSink>> sink = ForwardingSnapshotStore::Create(replica);
    if (!sink) return sink;
    return std::make_unique<WatchedSink>(std::move(*sink), replica, watcher_);
  }
  Result<std::optional<raft::SnapshotRecord>> Newest(const ReplicaRef& replica) override {
    auto newest = ForwardingSnapshotStore::Newest(replica);
    if (newest && *newest) watcher_.found(replica, **newest);
    return newest;
  }

 private:
  const SnapshotWatcher watcher_;
};

}  // namespace

std::unique_ptr<storage::SnapshotStore> Watch(std::unique_ptr<storage::SnapshotStore> store,
                                              SnapshotWatcher watcher) {
  return std::make_unique<WatchedStore>(std::move(store), std::move(watcher));
}

}  // namespace drumbeat::simulation
