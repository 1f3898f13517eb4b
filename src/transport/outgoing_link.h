// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drumbeat/types.h"

#include "raft/message.h"
#include "transport/breaker.h"
#include "transport/send_queue.h"
#include "transport/time.h"

namespace drumbeat::transport {

/// The two ends of a link, as the log names them: those of a message that it was dialled for.
struct LinkEnds {
  ShardId shard;
  ReplicaId from;
  ReplicaId to;
};

/// A connection stands.
struct LinkUp {
  LinkEnds ends;
  /// Whether the host has to be told: it is the first one, or the first after a failure.
  bool tell = false;
  /// Whether to write a log line.
  bool log = false;
  /// How long the address was away; not set when it was not.
  std::optional<Duration> away;
};

/// A connection could not be made, or broke.
struct LinkDown {
  std::string reason;
  /// As in LinkUp.
  bool tell = false;
  bool log = false;
};

/// What an OutgoingLink wants done, in this order. More than one may be wanted at once.
struct LinkActions {
  /// End the connection; as soon as no write is under way, call Lost() with this.
  std::optional<std::string> fail;
  /// Close the connection; the link knows.
  bool close = false;
  /// Connect, then call Dialed() or DialFailed().
  bool dial = false;
  /// Begin to write, see BeginWrite().
  bool write = false;
  /// deadline() may have moved to an earlier time.
  bool watch_deadline = false;
  std::optional<LinkUp> up;
  std::optional<LinkDown> down;
};

/// What there is to be written next.
enum class NextWrite : std::uint8_t {
  kNothing,   ///< all is written; the right to write is given back
  kEncode,    ///< the batch that was handed out: encode and write it
  kContinue,  ///< the rest of the frame under way
  kRepeat,    ///< the frame under way, from its start: its connection broke
};

/// The messages for one address: decides when to dial, what to write, when to give up. It knows
/// no socket and no clock.
///
/// One connection carries all shards, so that messages that are ready together leave in one batch.
/// Those without entries overtake those that have some: a long log tail of one shard does not hold
/// up the heartbeats of the others. Within either kind the order holds. For that, and for a slow
/// line to move every frame within its receiver's deadline, batches stay small (kBatchBytes); a
/// message beyond that goes alone.
///
/// A connection that broke takes only what was written with it. What waits stays for the next
/// dial unless it is older than kMaxAge: longer than any pause between dials, and as long as an
/// election timeout, after which votes and heartbeats mean nothing any more. That holds for a
/// frame under way too, which is written again from its start: nobody can have read part of it.
///
/// Writing may go on outside of the lock that guards this object: one writer at a time holds the
/// right to write, from BeginWrite() until NextToWrite() says kNothing, or Blocked() or
/// EndWrite().
class OutgoingLink {
 public:
  static constexpr std::size_t kBatchBytes = 128u << 10;
  static constexpr Duration kMaxAge = std::chrono::seconds(2);
  static constexpr Duration kIdleLimit = std::chrono::seconds(60);
  /// A peer that takes no byte for this long is given up.
  static constexpr Duration kStallLimit = std::chrono::seconds(5);
  /// A connection that lived shorter than this counts as a failed dial: whoever accepts and hangs
  /// up at once is not reached.
  static constexpr Duration kProofTime = std::chrono::seconds(1);
  static constexpr Duration kLogPeriod = std::chrono::seconds(10);
  /// After this long without use, nothing about an address is worth remembering.
  static constexpr Duration kForgetAfter = std::chrono::minutes(10);

  OutgoingLink(const QueueLimits& limits, std::uint64_t seed)
      : urgent_(limits), data_(limits), breaker_(seed) {}

  void Push(raft::Envelope message, Time now);
  /// Something was pushed that is to go out now.
  LinkActions Flush(Time now);

  LinkActions Dialed(Time now);
  LinkActions DialFailed(std::string reason, Time now);
  /// The connection broke. No write is under way.
  LinkActions Lost(std::string reason, Time now);
  /// A message came from the other side, or so it says: it can be dialled again.
  LinkActions Heard(Time now);
  /// Time passed.
  LinkActions Tick(Time now);
  /// Since when a connection stands and nothing is to be sent on it; nothing if not so.
  std::optional<Time> IdleSince() const;
  /// Then it can be closed, until the next message.
  LinkActions CloseIdle();
  /// Tick() is due then, if at all.
  std::optional<Time> deadline() const;

  /// Takes the right to write; false when it is taken, or there is nothing to be done.
  bool BeginWrite();
  /// Only with the right to write. Fills `batch`, which is empty, for kEncode.
  NextWrite NextToWrite(std::vector<QueuedMessage>& batch, Time now);
  /// Part of the frame under way was taken by the socket, or all of it.
  void Wrote(Time now);
  void WroteFrame(Time now);
  /// A write has to wait for the peer, but the right to write is kept.
  void Stalled(Time now);
  /// The socket takes no more: gives the right to write back until Writable().
  void Blocked(Time now);
  void Writable() { blocked_ = false; }
  void EndWrite() { writing_ = false; }
  /// The frame under way could not be made, so its messages are lost. EndWrite() follows.
  void DropFrame() { frame_ = Frame::kNone; }
  bool writing() const { return writing_; }

  bool up() const { return state_ == State::kUp; }
  /// Nothing is left that could still be sent.
  bool Drained() const;
  /// Nothing would be lost if this object was.
  bool Forgettable(Time now) const;
  /// Nothing but messages that cannot be sent now would be lost.
  bool Dispensable() const {
    return (state_ == State::kIdle || state_ == State::kPausing) && !writing_;
  }

  Breaker& breaker() { return breaker_; }
  /// Messages that wait.
  std::size_t queued() const { return urgent_.size() + data_.size(); }

 private:
  enum class State : std::uint8_t { kIdle, kPausing, kDialing, kUp };
  enum class Frame : std::uint8_t { kNone, kUnderWay, kBroken };
  enum class Told : std::uint8_t { kNothing, kUp, kDown };

  bool HasOutput() const { return frame_ != Frame::kNone || queued() > 0; }
  void TakeBatch(std::vector<QueuedMessage>& batch);
  void Expire(Time oldest);
  void DropOld(Time now);
  void DialOrPause(Time now, LinkActions& actions);
  void ReportDown(std::string reason, Time now, LinkActions& actions);

  /// Messages without entries, and with some.
  SendQueue urgent_;
  SendQueue data_;
  /// The last frame had no room for the data that was there.
  bool data_waited_ = false;
  Breaker breaker_;
  State state_ = State::kIdle;
  /// The other side was heard of since the dial under way began.
  bool heard_while_dialing_ = false;

  Frame frame_ = Frame::kNone;
  /// When the oldest message of the frame under way was queued.
  Time frame_queued_at_;
  LinkEnds ends_;

  bool writing_ = false;
  bool blocked_ = false;
  std::optional<Time> stalled_since_;
  Time last_used_;
  Time up_since_;

  Told told_ = Told::kNothing;
  /// Whether the last connection lived long enough to count.
  bool proven_ = true;
  Time down_since_;
  std::optional<Time> up_logged_at_;
  /// A connection of one that flaps, to be logged once it has lived for kProofTime.
  std::optional<LinkUp> unlogged_up_;
  std::optional<Time> down_logged_at_;
};

}  // namespace drumbeat::transport
