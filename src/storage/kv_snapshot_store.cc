// SPDX-License-Identifier: Apache-2.0
#include "storage/kv_snapshot_store.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "logging/logger.h"
#include "storage/advice.h"
#include "storage/image_reader.h"
#include "storage/image_sink.h"
#include "storage/keys.h"

namespace drumbeat::storage {

std::string KvSnapshotStore::Name(const ReplicaRef& replica) const {
  return "the snapshot of " + logging::Name(replica) + " in " + core_->kv->name();
}

// -- Opening -------------------------------------------------------------------------------------

Result<std::unique_ptr<KvSnapshotStore>> KvSnapshotStore::Open(std::shared_ptr<StoreCore> core) {
  std::unique_ptr<KvSnapshotStore> store(new KvSnapshotStore(std::move(core)));
  Result<void> opened = store->FindImages();
  if (opened) opened = store->CheckWitness();
  if (!opened) return std::unexpected(opened.error());
  return store;
}

// A removed replica's images go after its log did; a crash in between is no loss.
Result<void> KvSnapshotStore::CheckWitness() {
  for (const auto& [replica, line] : core_->witness->lines()) {
    if (!core_->damaged.Check(replica)) continue;
    const Result<bool> removed = IsRemoved(replica);
    if (!removed) return std::unexpected(removed.error());
    const base::MutexLock lock(mutex_);
    if (*removed || line.image <= images_[replica].entering) continue;
    const std::string what = "its snapshot at " + std::to_string(line.image.value());
    return Fail(ErrorCode::kDamaged, LostState(core_->kv->name(), replica, what));
  }
  return {};
}

Result<bool> KvSnapshotStore::IsRemoved(const ReplicaRef& replica) {
  const auto mark = ReadState(*core_->kv, StateKind::kRemoved, replica);
  if (!mark) return std::unexpected(LogUnusable(*core_->kv, replica, mark.error()));
  return mark->has_value();
}

// Normally there is one of each replica; a crash or a failed drop leaves older ones behind. Each
// record is read by its name, so that a bad one hides no other.
Result<void> KvSnapshotStore::FindImages() {
  std::map<ReplicaRef, std::vector<Held>> all;
  for (const std::string& key : core_->kv->RunKeys(ImageKeys().range())) {
    const std::optional<ImageKey> parsed = ParseImageKey(key);
    if (!parsed) {
      const std::string text = core_->kv->name() + " is damaged: a strange key among its images";
      return Fail(ErrorCode::kDamaged, Advised(text, kHostAdvice));
    }
    const ImageName& name = parsed->image;
    next_number_ = std::max(next_number_.load(), name.number + 1);
    if (!parsed->is_record) continue;
    std::vector<Held>& images = all[name.replica];
    const Result<std::optional<base::Bytes>> value = core_->kv->Get(Space::kImages, key);
    if (value && !*value) continue;
    Result<ImageRecord> image =
        value ? DecodeImageRecord(key, (*value)->view()) : std::unexpected(value.error());
    if (image) {
      images.push_back({.name = name, .image = std::move(*image)});
      continue;
    }
    Error error = std::move(image.error());
    error.message = Name(name.replica) + " cannot be used: its record: " +
                    Advised(error.text(), ReplicaAdvice(error.code));
    if (Result<void> noted = NoteUnusable(*core_, name.replica, error); !noted) return noted;
  }
  for (auto& [replica, images] : all) {
    if (Result<void> found = Found(replica, std::move(images)); !found) return found;
  }
  return {};
}

Result<void> KvSnapshotStore::Found(const ReplicaRef& replica, std::vector<Held> images) {
  const Result<bool> removed = IsRemoved(replica);
  if (!removed) return NoteUnusable(*core_, replica, removed.error());
  if (*removed) {
    // Damaged or not: it will never be needed.
    core_->damaged.Forget(replica);
    return DropAll(replica);
  }
  if (images.empty() || !core_->damaged.Check(replica)) return {};
  const auto newest = std::ranges::max_element(
      images, {}, [](const Held& held) { return held.image.record.index; });
  for (const Held& held : images) {
    if (held.name == newest->name) continue;
    if (Result<void> dropped = Drop(held.name); !dropped) return dropped;
  }
  const base::MutexLock lock(mutex_);
  images_[replica].entering = newest->image.record.index;
  images_[replica].newest = std::move(*newest);
  return {};
}

// -- Writing -------------------------------------------------------------------------------------

Result<std::unique_ptr<SnapshotSink>> KvSnapshotStore::Create(const ReplicaRef& replica) {
  if (Result<void> open = core_->fence.Check(); !open) return std::unexpected(open.error());
  if (Result<void> fit = core_->damaged.Check(replica); !fit) return std::unexpected(fit.error());
  Result<std::unique_ptr<KvBulk>> bulk = core_->kv->NewBulk();
  if (!bulk) return std::unexpected(bulk.error());
  const ImageName name{replica, next_number_.fetch_add(1)};
  return std::make_unique<ImageSink>(*this, name, std::move(*bulk));
}

Result<void> KvSnapshotStore::Enter(const ImageName& name, const ImageRecord& image, KvBulk& bulk) {
  const ReplicaRef& replica = name.replica;
  if (Result<void> open = core_->fence.Check(); !open) return open;
  const Index index = image.record.index;
  Index entering_before;
  {
    const base::MutexLock lock(mutex_);
    Images& images = images_[replica];
    if (index <= images.entering) {
      return Fail(ErrorCode::kNothingToDo,
                  "there is a snapshot at " + std::to_string(images.entering.value()) + " already");
    }
    entering_before = std::exchange(images.entering, index);
  }
  Result<void> entered = bulk.Commit();
  if (!entered && entered.error().code == ErrorCode::kWriteFailed) {
    entered = core_->fence.Pass(entered);
  }
  std::optional<ImageName> superseded;
  {
    const base::MutexLock lock(mutex_);
    Images& images = images_[replica];
    if (!entered) {
      if (images.entering == index) images.entering = entering_before;
      return entered;
    }
    if (images.newest && images.newest->image.record.index > index) {
      superseded = name;
    } else {
      if (images.newest) superseded = images.newest->name;
      images.newest = Held{.name = name, .image = image};
    }
  }
  // A removal that overlaps has written its mark first, and may have dropped all that it found.
  const Result<bool> removed = IsRemoved(replica);
  if (removed && *removed) {
    {
      const base::MutexLock lock(mutex_);
      images_.erase(replica);
    }
    if (Result<void> dropped = DropAll(replica); !dropped) return dropped;
    return Fail(ErrorCode::kReplicaRemoved);
  }
  const Witness::Note note{.replica = replica, .image = index};
  const Result<void> raised = core_->fence.Pass(core_->witness->Raise({&note, 1}));
  if (!raised) return raised;
  // The new one stands whatever becomes of the old one, which the next start would drop.
  if (superseded) (void)Drop(*superseded);
  return {};
}

// The record goes last: as long as it stands, the next start finds what is left.
Result<void> KvSnapshotStore::Drop(const ImageName& image) {
  const Result<void> dropped =
      core_->fence.Pass(core_->kv->Drop(Space::kImages, ChunkKeys(image).range()));
  if (!dropped) return dropped;
  const Key record = ImageRecordKey(image);
  const Key behind = Key(record).Byte('\0');
  return core_->fence.Pass(core_->kv->Drop(Space::kImages, {record, behind}));
}

Result<void> KvSnapshotStore::Remove(const ReplicaRef& replica) {
  if (Result<void> open = core_->fence.Check(); !open) return open;
  const Witness::Note nothing{.replica = replica, .image = Index(0)};
  const Result<void> lowered = core_->fence.Pass(core_->witness->Lower({&nothing, 1}));
  if (!lowered) return lowered;
  {
    const base::MutexLock lock(mutex_);
    images_.erase(replica);
  }
  return DropAll(replica);
}

Result<void> KvSnapshotStore::DropAll(const ReplicaRef& replica) {
  std::set<ImageName> images;
  for (const std::string& key : core_->kv->RunKeys(ImageKeys().range())) {
    const std::optional<ImageKey> parsed = ParseImageKey(key);
    if (parsed && parsed->image.replica == replica) images.insert(parsed->image);
  }
  for (const ImageName& image : images) {
    if (Result<void> dropped = Drop(image); !dropped) return dropped;
  }
  return {};
}

// -- Reading -------------------------------------------------------------------------------------

Result<std::optional<raft::SnapshotRecord>> KvSnapshotStore::Newest(const ReplicaRef& replica) {
  if (Result<void> fit = core_->damaged.Check(replica); !fit) return std::unexpected(fit.error());
  const base::MutexLock lock(mutex_);
  const auto found = images_.find(replica);
  if (found == images_.end()) return std::nullopt;
  if (!found->second.newest) return std::nullopt;
  return found->second.newest->image.record;
}

Result<std::unique_ptr<SnapshotReader>> KvSnapshotStore::Open(const ReplicaRef& replica,
                                                              Index index) {
  if (Result<void> fit = core_->damaged.Check(replica); !fit) return std::unexpected(fit.error());
  ImageReader::Source source{.image = {}, .name = Name(replica)};
  {
    const base::MutexLock lock(mutex_);
    const auto found = images_.find(replica);
    if (found == images_.end() || !found->second.newest ||
        found->second.newest->image.record.index != index) {
      return Fail(ErrorCode::kNotFound,
                  Name(replica) + " at " + std::to_string(index.value()) + " is not there");
    }
    source.image = found->second.newest->name;
    source.bytes = found->second.newest->image.bytes;
  }
  const ImageName name = source.image;
  auto reader = std::make_unique<ImageReader>(core_, std::move(source));
  // A newer one may have replaced it before the reader got hold of it.
  const base::MutexLock lock(mutex_);
  const std::optional<Held>& newest = images_[replica].newest;
  if (newest && newest->name == name) return reader;
  return Fail(ErrorCode::kNotFound, Name(replica) + " was replaced by a newer one");
}

}  // namespace drumbeat::storage
