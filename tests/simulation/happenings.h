// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace drumbeat::simulation {

/// What may happen in a run and is worth being counted: faults that hit, and what hosts and clients
/// got done in spite of them.
enum class Happening : std::uint8_t {
  kLoss,
  kDuplicate,
  kDelay,
  kReset,
  kWireFlip,
  kCut,
  kCrash,
  kPowerCut,
  kPause,
  kSlowWrite,
  kFailedWrite,
  kForgottenSync,
  kFullDisk,
  kNoRoom,
  kDiskFlip,
  kTransfer,
  kAdded,
  kRemoved,
  kSnapshotTaken,
  kSnapshotReceived,
  kRecovered,
  kRetry,
  kRefusal,
  kSessionClosed,
  kCount_,
};
constexpr std::size_t kHappenings = static_cast<std::size_t>(Happening::kCount_);

/// How often each happened.
class Happenings {
 public:
  void Add(Happening happening) { ++counts_[static_cast<std::size_t>(happening)]; }
  void Add(const Happenings& others);
  std::uint64_t Of(Happening happening) const {
    return counts_[static_cast<std::size_t>(happening)];
  }
  /// Such as "17 losses, 3 resets".
  std::string Describe() const;
  /// The names of those that never happened, with commas.
  std::string Missing() const;

 private:
  std::array<std::uint64_t, kHappenings> counts_{};
};

}  // namespace drumbeat::simulation
