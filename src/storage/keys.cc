// SPDX-License-Identifier: Apache-2.0
#include "storage/keys.h"

#include "base/byte_coding.h"

namespace drumbeat::storage {
namespace {

Key ReplicaKey(const ReplicaRef& replica) {
  return Key().Number(replica.shard.value()).Number(replica.replica.value());
}

/// Sorts behind every key that continues `key`: longer than any of them with nothing but 0xff.
Key Behind(Key key) {
  while (key.view().size() < Key::kMaxBytes) key.Byte('\xff');
  return key;
}

/// All keys that continue `prefix`.
KeyPair All(const Key& prefix) { return {prefix, Behind(prefix)}; }

constexpr char kRecordTag = 'i';
constexpr char kChunkTag = 'c';

Key Tagged(char tag, const ReplicaRef& replica) {
  return Key().Byte(tag).Number(replica.shard.value()).Number(replica.replica.value());
}

}  // namespace

Key StateKey(StateKind kind, const ReplicaRef& replica) {
  return Tagged(static_cast<char>(kind), replica);
}

KeyPair StateKeys(StateKind kind) { return All(Key().Byte(static_cast<char>(kind))); }

KeyPair StateKeys(StateKind kind, ShardId shard) {
  return All(Key().Byte(static_cast<char>(kind)).Number(shard.value()));
}

std::optional<ReplicaRef> ParseStateKey(std::string_view key) {
  base::ByteReader reader(key);
  reader.Take(1);
  const auto shard = ShardId(reader.Big<std::uint64_t>());
  const auto replica = ReplicaId(reader.Big<std::uint64_t>());
  if (!reader.ok() || !reader.done()) return std::nullopt;
  return ReplicaRef{shard, replica};
}

Key EntryKey(const ReplicaRef& replica, Index first) {
  return ReplicaKey(replica).Number(first.value());
}

KeyPair EntryKeys(const ReplicaRef& replica, Index first, Index end) {
  return {EntryKey(replica, first), EntryKey(replica, end)};
}

KeyPair EntryKeys(const ReplicaRef& replica) {
  return {EntryKey(replica, Index(0)), Behind(ReplicaKey(replica))};
}

std::optional<Index> ParseEntryKey(std::string_view key) {
  base::ByteReader reader(key);
  reader.Take(16);
  const auto index = Index(reader.Big<std::uint64_t>());
  if (!reader.ok() || !reader.done()) return std::nullopt;
  return index;
}

Key ImageRecordKey(const ImageName& image) {
  return Tagged(kRecordTag, image.replica).Number(image.number);
}

KeyPair ImageRecordKeys(const ReplicaRef& replica) { return All(Tagged(kRecordTag, replica)); }

KeyPair ImageRecordKeys() { return All(Key().Byte(kRecordTag)); }

std::optional<ImageName> ParseImageRecordKey(std::string_view key) {
  base::ByteReader reader(key);
  reader.Take(1);
  ImageName image;
  image.replica.shard = ShardId(reader.Big<std::uint64_t>());
  image.replica.replica = ReplicaId(reader.Big<std::uint64_t>());
  image.number = reader.Big<std::uint64_t>();
  if (!reader.ok() || !reader.done()) return std::nullopt;
  return image;
}

Key ChunkKey(const ImageName& image, std::uint64_t chunk) {
  return Tagged(kChunkTag, image.replica).Number(image.number).Number(chunk);
}

KeyPair ChunkKeys(const ImageName& image) {
  return All(Tagged(kChunkTag, image.replica).Number(image.number));
}

KeyPair ChunkKeys(const ReplicaRef& replica) { return All(Tagged(kChunkTag, replica)); }

std::optional<std::uint64_t> ParseChunkKey(std::string_view key) {
  base::ByteReader reader(key);
  reader.Take(25);
  const auto chunk = reader.Big<std::uint64_t>();
  if (!reader.ok() || !reader.done()) return std::nullopt;
  return chunk;
}

}  // namespace drumbeat::storage
