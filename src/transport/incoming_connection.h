// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "codec/frame.h"
#include "transport/receive_budget.h"
#include "transport/time.h"

namespace drumbeat::transport {

/// What a connection brought.
struct Arrival {
  enum class Kind : std::uint8_t {
    kNothing,  ///< all bytes are used up, more are needed
    kFrame,    ///< a complete frame with a good checksum
    kPoison,   ///< the sender ends the connection: confirm, then close
    kBroken,   ///< no frame: close at once
  };
  Kind kind = Kind::kNothing;
  codec::FrameMethod method = codec::FrameMethod::kMessageBatch;
  base::Bytes payload;
  /// For kBroken: why.
  std::string reason;
};

/// Finds frames in the bytes of one connection and knows how long it may take over one. No socket,
/// no clock.
///
/// The time limits are absolute from the first byte of a frame on, so that a byte now and then
/// does not keep a connection. Between frames there is no limit and nothing is held in memory. A
/// payload's buffer grows with the bytes that have come, whatever the header promises.
class IncomingConnection {
 public:
  static constexpr Duration kHeaderLimit = std::chrono::seconds(2);
  /// For each piece of a payload, and for what is left at its end: a line that carries 26 kB/s is
  /// fast enough for any frame.
  static constexpr Duration kPieceLimit = std::chrono::seconds(5);
  static constexpr std::size_t kPieceBytes = 128u << 10;
  /// First size of a payload's buffer when not all of it came at once. So much does not count in
  /// the budget: small frames pass when others have used it up. Of all connections together that is
  /// max_connections times as much.
  static constexpr std::size_t kFirstBufferBytes = 64u << 10;

  struct Limits {
    std::size_t max_frame_bytes = 160u << 20;
    codec::PayloadCheck check = codec::PayloadCheck::kCrc32;
  };

  /// `budget` outlives this.
  IncomingConnection(const Limits& limits, ReceiveBudget& budget)
      : limits_(limits), budget_(budget) {}
  ~IncomingConnection();
  IncomingConnection(const IncomingConnection&) = delete;
  IncomingConnection& operator=(const IncomingConnection&) = delete;

  /// Takes bytes off the front of `bytes` up to the next arrival. Call it until it says kNothing.
  /// After kPoison or kBroken nothing more is to be asked.
  Arrival Take(std::string_view& bytes, Time now);

  /// Where the next bytes may be put directly, which spares a copy; empty when a frame's start is
  /// next. After filling `count` bytes of it, call Filled() and then Take() with no bytes.
  std::span<char> Space();
  void Filled(std::size_t count, Time now);

  /// When the frame under way must have moved on; nothing between frames.
  std::optional<Time> deadline() const;
  /// Whether a frame has begun and is not complete.
  bool InFrame() const { return head_bytes_ > 0; }
  /// Whether what has begun is a piece of a snapshot.
  bool InChunk() const {
    return InPayload() && header_.method == codec::FrameMethod::kSnapshotChunk;
  }
  /// The frame under way was held up by its receiver.
  void Resume(Time now) { piece_deadline_ = now + kPieceLimit; }
  /// Complete frames so far.
  std::uint64_t frames() const { return frames_; }

 private:
  bool InPayload() const { return head_bytes_ == codec::kFramePrefixBytes; }
  Arrival TakeHead(std::string_view& bytes, Time now);
  Arrival TakePayload(std::string_view& bytes, Time now);
  Arrival Complete(base::Bytes payload);
  /// What the budget hears of a buffer of this size.
  static std::size_t Counted(std::size_t capacity) {
    return capacity - std::min(capacity, kFirstBufferBytes);
  }
  /// False when the budget does not allow it.
  bool Reserve(std::size_t capacity);
  void Release();

  const Limits limits_;
  ReceiveBudget& budget_;

  /// Magic and header as far as they have come.
  std::array<char, codec::kFramePrefixBytes> head_{};
  std::size_t head_bytes_ = 0;
  Time head_since_;

  codec::FrameHeader header_;
  /// Holds the payload's first `have_` bytes; null before the first of them.
  base::Buffer* buffer_ = nullptr;
  std::size_t have_ = 0;
  std::size_t piece_end_ = 0;
  Time piece_deadline_;

  std::uint64_t frames_ = 0;
};

}  // namespace drumbeat::transport
