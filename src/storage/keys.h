// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "drumbeat/event_listener.h"
#include "drumbeat/types.h"

#include "storage/kv.h"

// Keys of the stores (FORMATS.md): big-endian numbers, so that byte order is numeric order.
namespace drumbeat::storage {

/// A key built in place.
class Key {
 public:
  static constexpr std::size_t kMaxBytes = 35;

  Key& Byte(char byte) {
    bytes_[size_++] = byte;
    return *this;
  }
  Key& Number(std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) Byte(static_cast<char>(value >> shift));
    return *this;
  }
  std::string_view view() const { return {bytes_.data(), size_}; }
  operator std::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)

 private:
  std::array<char, kMaxBytes> bytes_;
  std::size_t size_ = 0;
};

/// What a key of Space::kState holds.
enum class StateKind : char { kBootstrap = 'b', kLog = 'l', kRemoved = 'r' };

Key StateKey(StateKind kind, const ReplicaRef& replica);
struct KeyPair {
  Key begin;
  Key end;
  KeyRange range() const { return {begin, end}; }
};
/// All keys of `kind`; those of one shard.
KeyPair StateKeys(StateKind kind);
KeyPair StateKeys(StateKind kind, ShardId shard);
std::optional<ReplicaRef> ParseStateKey(std::string_view key);

Key EntryKey(const ReplicaRef& replica, Index first);
/// The keys of `replica` from `first` on, before `end`.
KeyPair EntryKeys(const ReplicaRef& replica, Index first, Index end);
KeyPair EntryKeys(const ReplicaRef& replica);
/// The index in an entry key.
std::optional<Index> ParseEntryKey(std::string_view key);

// Space::kImages: an image has a number of its own, as its index is not known before it is
// complete. Numbers come first and only rise, so that an image enters behind all others: RocksDB
// reads the file behind the place where one enters, and what is bad in that is none of its
// business. The records stand apart from the bytes, so that finding the images does not depend on
// those.

struct ImageName {
  ReplicaRef replica;
  std::uint64_t number = 0;
  /// Its keys begin with the replica, as all did at first.
  bool by_replica = false;

  friend auto operator<=>(const ImageName&, const ImageName&) = default;
};
Key ImageRecordKey(const ImageName& image);
/// Chunks count from 0.
Key ChunkKey(const ImageName& image, std::uint64_t chunk);
/// The chunks of one image.
KeyPair ChunkKeys(const ImageName& image);
/// All records and chunks.
KeyPair ImageKeys();

struct ImageKey {
  ImageName image;
  /// Else it is a chunk, or where chunks would begin.
  bool is_record = false;
};
std::optional<ImageKey> ParseImageKey(std::string_view key);
/// The chunk's number in a chunk key.
std::optional<std::uint64_t> ParseChunkKey(std::string_view key);

}  // namespace drumbeat::storage
