// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "drumbeat/error.h"

#include "transport/time.h"

namespace drumbeat::transport {

/// The one next thing that an OutgoingSnapshot wants done.
enum class SnapshotStep : std::uint8_t {
  kNothing,  ///< wait for what is under way
  kDial,     ///< connect, then Dialed() or Failed()
  kFetch,    ///< get and encode the next chunk, then Fetched() or Failed()
  kPause,    ///< wait until deadline(), then Tick(): the rate limit
  kWrite,    ///< write what was fetched, telling Progress(), then Written()
  kPoison,   ///< write the poison likewise
  kFinish,   ///< close the connection and report result()
};

/// The steps of streaming one snapshot: dial, chunk after chunk, poison, and the receiver's
/// confirmation, without which a close could destroy what it has not read yet.
class OutgoingSnapshot {
 public:
  /// A receiver that takes no byte for this long is given up.
  static constexpr Duration kStallLimit = std::chrono::seconds(5);
  static constexpr Duration kAckLimit = std::chrono::seconds(10);

  SnapshotStep Start();
  SnapshotStep Dialed();
  /// `free_at`: when the rate limit lets the chunk go.
  SnapshotStep FetchedChunk(Time now, Time free_at);
  /// There are no more chunks.
  SnapshotStep FetchedEnd(Time now);
  void Progress(Time now);
  SnapshotStep Written(Time now);
  /// Bytes came from the receiver.
  SnapshotStep Received(std::string_view bytes);
  /// The connection ended, the source failed, the host stops, ...
  SnapshotStep Failed(Error error);
  SnapshotStep Tick(Time now);
  std::optional<Time> deadline() const;

  /// Once finished.
  const Result<void>& result() const { return result_; }
  Result<void> TakeResult() { return std::move(result_); }

 private:
  enum class State : std::uint8_t {
    kNew,
    kDialing,
    kFetching,
    kPausing,
    kWriting,
    kPoisoning,
    kAwaitingAck,
    kFinished
  };

  SnapshotStep Finish(Result<void> result);

  State state_ = State::kNew;
  std::optional<Time> deadline_;
  std::string ack_;
  Result<void> result_;
};

}  // namespace drumbeat::transport
