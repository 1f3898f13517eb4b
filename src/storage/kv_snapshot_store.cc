// SPDX-License-Identifier: Apache-2.0
#include "storage/kv_snapshot_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "logging/logger.h"
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
    const Result<bool> removed = IsRemoved(replica);
    if (!removed) return std::unexpected(removed.error());
    const base::MutexLock lock(mutex_);
    const Images& images = images_[replica];
    if (*removed || images.damage || line.image <= images.entering) continue;
    const std::string what = "its snapshot at " + std::to_string(line.image.value());
    return Fail(ErrorCode::kDamaged, LostState(core_->kv->name(), replica, what));
  }
  return {};
}

Result<bool> KvSnapshotStore::IsRemoved(const ReplicaRef& replica) {
  const auto mark = core_->kv->Get(Space::kState, StateKey(StateKind::kRemoved, replica));
  if (!mark) return std::unexpected(mark.error());
  return mark->has_value();
}

// From the last replica to the first: each jump needs only the greatest key that is left.
Result<void> KvSnapshotStore::FindImages() {
  const KeyPair all = ImageKeys();
  Key end = all.end;
  for (;;) {
    const auto last = core_->kv->LastKey(Space::kImages, KeyRange{all.begin, end});
    if (!last) return std::unexpected(last.error());
    if (!last->has_value()) return {};
    const std::optional<ImageKeyParts> parts = ParseImageKey(**last);
    if (!parts) return Fail(ErrorCode::kDamaged, core_->kv->name() + " holds a strange image key");
    if (Result<void> found = FindImagesOf(parts->replica); !found) return found;
    end = ImageKeys(parts->replica).begin;
  }
}

// Normally there is one; a crash or a failed drop leaves older ones behind.
Result<void> KvSnapshotStore::FindImagesOf(const ReplicaRef& replica) {
  const Result<bool> removed = IsRemoved(replica);
  if (!removed) return std::unexpected(removed.error());
  const KeyPair keys = ImageKeys(replica);
  if (*removed) return core_->kv->Drop(Space::kImages, keys.range());

  Images images;
  std::vector<std::uint64_t> superseded;
  Key end = keys.end;
  for (;;) {
    const auto number = LastImage(KeyRange{keys.begin, end});
    if (!number) return std::unexpected(number.error());
    if (!number->has_value()) break;
    next_number_ = std::max(next_number_.load(), **number + 1);
    end = ImageKey(replica, **number, 0);
    Result<ImageRecord> image = ReadRecord(replica, **number);
    if (!image) {
      images.damage =
          Error{.code = image.error().code,
                .message = Name(replica) + " cannot be used: " + std::string(image.error().text())};
    } else if (!images.newest || image->record.index > images.newest->image.record.index) {
      if (images.newest) superseded.push_back(images.newest->number);
      images.newest = Held{.number = **number, .image = std::move(*image)};
    } else {
      superseded.push_back(**number);
    }
  }
  for (const std::uint64_t number : superseded) {
    if (Result<void> dropped = Drop(replica, number); !dropped) return dropped;
  }
  if (images.newest) images.entering = images.newest->image.record.index;
  const base::MutexLock lock(mutex_);
  images_[replica] = std::move(images);
  return {};
}

Result<std::optional<std::uint64_t>> KvSnapshotStore::LastImage(const KeyRange& range) {
  const auto last = core_->kv->LastKey(Space::kImages, range);
  if (!last) return std::unexpected(last.error());
  if (!last->has_value()) return std::nullopt;
  const std::optional<ImageKeyParts> parts = ParseImageKey(**last);
  if (!parts) return Fail(ErrorCode::kDamaged, core_->kv->name() + " holds a strange image key");
  return parts->image;
}

Result<ImageRecord> KvSnapshotStore::ReadRecord(const ReplicaRef& replica, std::uint64_t number) {
  const Key key = ImageKey(replica, number, 0);
  const Result<std::optional<base::Bytes>> value = core_->kv->Get(Space::kImages, key);
  if (!value) return std::unexpected(value.error());
  if (!value->has_value()) return Fail(ErrorCode::kDamaged, "its record is missing");
  return DecodeImageRecord(key, (*value)->view());
}

// -- Writing -------------------------------------------------------------------------------------

Result<std::unique_ptr<SnapshotSink>> KvSnapshotStore::Create(const ReplicaRef& replica) {
  if (Result<void> open = core_->fence.Check(); !open) return std::unexpected(open.error());
  Result<std::unique_ptr<KvBulk>> bulk = core_->kv->NewBulk();
  if (!bulk) return std::unexpected(bulk.error());
  return std::make_unique<ImageSink>(*this, replica, next_number_.fetch_add(1), std::move(*bulk));
}

Result<void> KvSnapshotStore::Enter(const ReplicaRef& replica, std::uint64_t number,
                                    const ImageRecord& image, KvBulk& bulk) {
  if (Result<void> open = core_->fence.Check(); !open) return open;
  const Index index = image.record.index;
  Index entering_before;
  {
    const base::MutexLock lock(mutex_);
    Images& images = images_[replica];
    if (images.damage) return std::unexpected(*images.damage);
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
  std::optional<std::uint64_t> superseded;
  {
    const base::MutexLock lock(mutex_);
    Images& images = images_[replica];
    if (!entered) {
      if (images.entering == index) images.entering = entering_before;
      return entered;
    }
    if (images.newest && images.newest->image.record.index > index) {
      superseded = number;
    } else {
      if (images.newest) superseded = images.newest->number;
      images.newest = Held{.number = number, .image = image};
    }
  }
  const Witness::Note note{.replica = replica, .image = index};
  const Result<void> raised = core_->fence.Pass(core_->witness->Raise({&note, 1}));
  if (!raised) return raised;
  // The new one stands whatever becomes of the old one, which the next start would drop.
  if (superseded) (void)Drop(replica, *superseded);
  return {};
}

Result<void> KvSnapshotStore::Drop(const ReplicaRef& replica, std::uint64_t number) {
  return core_->fence.Pass(core_->kv->Drop(Space::kImages, ImageKeys(replica, number).range()));
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
  return core_->fence.Pass(core_->kv->Drop(Space::kImages, ImageKeys(replica).range()));
}

// -- Reading -------------------------------------------------------------------------------------

Result<std::optional<raft::SnapshotRecord>> KvSnapshotStore::Newest(const ReplicaRef& replica) {
  const base::MutexLock lock(mutex_);
  const auto found = images_.find(replica);
  if (found == images_.end()) return std::nullopt;
  if (found->second.damage) return std::unexpected(*found->second.damage);
  if (!found->second.newest) return std::nullopt;
  return found->second.newest->image.record;
}

Result<std::unique_ptr<SnapshotReader>> KvSnapshotStore::Open(const ReplicaRef& replica,
                                                              Index index) {
  ImageReader::Source source{.replica = replica, .name = Name(replica)};
  {
    const base::MutexLock lock(mutex_);
    const auto found = images_.find(replica);
    if (found == images_.end() || !found->second.newest ||
        found->second.newest->image.record.index != index) {
      return Fail(ErrorCode::kNotFound,
                  Name(replica) + " at " + std::to_string(index.value()) + " is not there");
    }
    source.image = found->second.newest->number;
    source.bytes = found->second.newest->image.bytes;
  }
  const std::uint64_t number = source.image;
  auto reader = std::make_unique<ImageReader>(*core_->kv, std::move(source));
  // A newer one may have replaced it before the reader got hold of it.
  const base::MutexLock lock(mutex_);
  const std::optional<Held>& newest = images_[replica].newest;
  if (newest && newest->number == number) return reader;
  return Fail(ErrorCode::kNotFound, Name(replica) + " was replaced by a newer one");
}

}  // namespace drumbeat::storage
