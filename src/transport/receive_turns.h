// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "transport/time.h"

namespace drumbeat::transport {

/// Who may stream a snapshot to us.
///
/// A sender gives up when no byte of its stream was taken for 5 s, so a rate that is shared by too
/// many streams completes none of them. Only as many have a turn as get kStreamBytesPerSecond
/// each, or, without a limit, as have their chunks handled within kMostAChunk, at the pace at which
/// the latest were; the others wait for theirs, or try again.
class ReceiveTurns {
 public:
  /// A chunk of 2 MiB a second, and the kernels' buffers well within the time that a sender waits
  /// for its confirmation.
  static constexpr std::uint64_t kStreamBytesPerSecond = 2'000'000;
  /// A lower rate than this would starve a single stream, too.
  static constexpr std::uint64_t kMinBytesPerSecond = 1'000'000;
  /// Whoever sent nothing for so long has lost its turn if somebody else wants it.
  static constexpr Duration kIdleLimit = std::chrono::seconds(5);
  static constexpr Duration kMostAChunk = std::chrono::seconds(2);

  /// `bytes_per_second` 0: no limit.
  explicit ReceiveTurns(std::uint64_t bytes_per_second);

  /// What is to be kept to, given what was asked for.
  static std::uint64_t RateFor(std::uint64_t bytes_per_second);

  /// Takes or keeps a turn for `stream`. False: all are taken.
  bool Take(const void* stream, Time now);
  /// Whether Take() would work.
  bool Free(const void* stream, Time now) const;
  /// A stream that has a turn waited so long until its chunk was handled, with those of others.
  void Handled(Duration took, Time now);
  void Release(const void* stream) { last_used_.erase(stream); }

 private:
  std::size_t CountBusy(Time now) const;

  /// 0: the disk decides.
  const std::size_t limit_;
  /// What a chunk takes when no other stream's is handled beside it: a moving average.
  Duration a_chunk_{};
  std::map<const void*, Time> last_used_;
};

}  // namespace drumbeat::transport
