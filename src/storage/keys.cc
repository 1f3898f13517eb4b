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

/// Behind the tags below, which began a key at first.
constexpr char kImageTag = 'n';
constexpr char kRecordTag = 'i';
constexpr char kChunkTag = 'c';

Key Tagged(char tag, const ReplicaRef& replica) {
  return Key().Byte(tag).Number(replica.shard.value()).Number(replica.replica.value());
}

Key ImageKeyOf(char tag, const ImageName& image) {
  if (image.by_replica) return Tagged(tag, image.replica).Number(image.number);
  return Key()
      .Byte(kImageTag)
      .Number(image.number)
      .Byte(tag)
      .Number(image.replica.shard.value())
      .Number(image.replica.replica.value());
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

Key ImageRecordKey(const ImageName& image) { return ImageKeyOf(kRecordTag, image); }

Key ChunkKey(const ImageName& image, std::uint64_t chunk) {
  return ImageKeyOf(kChunkTag, image).Number(chunk);
}

KeyPair ChunkKeys(const ImageName& image) { return All(ImageKeyOf(kChunkTag, image)); }

KeyPair ImageKeys() { return All(Key()); }

std::optional<ImageKey> ParseImageKey(std::string_view key) {
  base::ByteReader reader(key);
  ImageKey parsed;
  char tag = static_cast<char>(reader.Little<std::uint8_t>());
  if (tag == kImageTag) {
    parsed.image.number = reader.Big<std::uint64_t>();
    tag = static_cast<char>(reader.Little<std::uint8_t>());
  } else {
    parsed.image.by_replica = true;
  }
  parsed.image.replica.shard = ShardId(reader.Big<std::uint64_t>());
  parsed.image.replica.replica = ReplicaId(reader.Big<std::uint64_t>());
  if (!reader.ok() || (tag != kRecordTag && tag != kChunkTag)) return std::nullopt;
  // What was removed of a replica as a whole may have left a mark here.
  if (parsed.image.by_replica && !reader.done()) parsed.image.number = reader.Big<std::uint64_t>();
  parsed.is_record = tag == kRecordTag && parsed.image.number != 0;
  if (tag == kChunkTag && !reader.done()) reader.Take(sizeof(std::uint64_t));
  if (!reader.ok() || !reader.done()) return std::nullopt;
  return parsed;
}

std::optional<std::uint64_t> ParseChunkKey(std::string_view key) {
  const std::optional<ImageKey> parsed = ParseImageKey(key);
  if (!parsed || parsed->is_record) return std::nullopt;
  const std::string_view prefix = ChunkKeys(parsed->image).begin;
  if (key.size() <= prefix.size()) return std::nullopt;
  return base::ByteReader(key.substr(prefix.size())).Big<std::uint64_t>();
}

}  // namespace drumbeat::storage
