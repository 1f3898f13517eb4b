// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
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
  static constexpr std::size_t kMaxBytes = 32;

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
/// All keys of `kind`.
struct KeyPair {
  Key begin;
  Key end;
  KeyRange range() const { return {begin, end}; }
};
KeyPair StateKeys(StateKind kind);
std::optional<ReplicaRef> ParseStateKey(std::string_view key);

Key EntryKey(const ReplicaRef& replica, Index first);
/// The keys of `replica` from `first` on, before `end`.
KeyPair EntryKeys(const ReplicaRef& replica, Index first, Index end);
KeyPair EntryKeys(const ReplicaRef& replica);
/// The index in an entry key.
std::optional<Index> ParseEntryKey(std::string_view key);

/// An image has a number of its own, as its index is not known before it is complete. Chunk 0 is
/// its record, its bytes follow from chunk 1 on.
struct ImageKeyParts {
  ReplicaRef replica;
  std::uint64_t image = 0;
  std::uint64_t chunk = 0;
};
Key ImageKey(const ReplicaRef& replica, std::uint64_t image, std::uint64_t chunk);
/// All keys of one image; of all images of a replica; of all images.
KeyPair ImageKeys(const ReplicaRef& replica, std::uint64_t image);
KeyPair ImageKeys(const ReplicaRef& replica);
KeyPair ImageKeys();
std::optional<ImageKeyParts> ParseImageKey(std::string_view key);

}  // namespace drumbeat::storage
