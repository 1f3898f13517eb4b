// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "storage/image_record.h"
#include "storage/keys.h"
#include "storage/snapshot_store.h"
#include "storage/store_core.h"

namespace drumbeat::storage {

/// The snapshot store's logic over ordered keys and values; FORMATS.md has its records.
class KvSnapshotStore : public SnapshotStore {
 public:
  /// Finds the newest image of every replica and drops all others, but for those of a replica that
  /// is damaged, or of which an image's record is: nobody knows which of them is the newest.
  static Result<std::unique_ptr<KvSnapshotStore>> Open(std::shared_ptr<StoreCore> core);

  Result<std::unique_ptr<SnapshotSink>> Create(const ReplicaRef& replica) override;
  Result<std::optional<raft::SnapshotRecord>> Newest(const ReplicaRef& replica) override;
  Result<std::unique_ptr<SnapshotReader>> Open(const ReplicaRef& replica, Index index) override;
  Result<void> Remove(const ReplicaRef& replica) override;

  /// Lets a finished image enter as the newest of its replica.
  Result<void> Enter(const ImageName& name, const ImageRecord& image, KvBulk& bulk);

 private:
  struct Held {
    ImageName name;
    ImageRecord image;
  };
  struct Images {
    std::optional<Held> newest;
    /// Greatest index that is entering or has entered.
    Index entering;
  };

  explicit KvSnapshotStore(std::shared_ptr<StoreCore> core) : core_(std::move(core)) {}
  Result<void> FindImages();
  Result<void> Found(const ReplicaRef& replica, std::vector<Held> images);
  Result<void> CheckWitness();
  Result<bool> IsRemoved(const ReplicaRef& replica);
  Result<void> Drop(const ImageName& image);
  Result<void> DropAll(const ReplicaRef& replica);
  std::string Name(const ReplicaRef& replica) const;

  const std::shared_ptr<StoreCore> core_;
  std::atomic<std::uint64_t> next_number_{1};

  base::Mutex mutex_;
  std::map<ReplicaRef, Images> images_ DRUMBEAT_GUARDED_BY(mutex_);
};

}  // namespace drumbeat::storage
