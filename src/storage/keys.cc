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

}  // namespace

Key StateKey(StateKind kind, const ReplicaRef& replica) {
  return Key()
      .Byte(static_cast<char>(kind))
      .Number(replica.shard.value())
      .Number(replica.replica.value());
}

KeyPair StateKeys(StateKind kind) {
  const Key begin = Key().Byte(static_cast<char>(kind));
  return {begin, Behind(begin)};
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

Key ImageKey(const ReplicaRef& replica, std::uint64_t image, std::uint64_t chunk) {
  return ReplicaKey(replica).Number(image).Number(chunk);
}

KeyPair ImageKeys(const ReplicaRef& replica, std::uint64_t image) {
  return {ImageKey(replica, image, 0), Behind(ReplicaKey(replica).Number(image))};
}

KeyPair ImageKeys(const ReplicaRef& replica) {
  return {ImageKey(replica, 0, 0), Behind(ReplicaKey(replica))};
}

KeyPair ImageKeys() { return {Key(), Behind(Key())}; }

std::optional<ImageKeyParts> ParseImageKey(std::string_view key) {
  base::ByteReader reader(key);
  ImageKeyParts parts;
  parts.replica.shard = ShardId(reader.Big<std::uint64_t>());
  parts.replica.replica = ReplicaId(reader.Big<std::uint64_t>());
  parts.image = reader.Big<std::uint64_t>();
  parts.chunk = reader.Big<std::uint64_t>();
  if (!reader.ok() || !reader.done()) return std::nullopt;
  return parts;
}

}  // namespace drumbeat::storage
