// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "simulation/world.h"

namespace drumbeat::simulation {

/// How badly connections are treated.
struct PipeFaults {
  /// Pieces of bytes that need a second try, of 100.
  std::uint64_t lost_percent = 0;
  /// Pieces that take up to `slow` instead of about a millisecond.
  std::uint64_t slow_percent = 0;
  microseconds slow{0};
  /// Pieces in the middle of which the connection is reset, of 1000.
  std::uint64_t reset_permille = 0;
  /// Pieces of which a bit flips although TCP says that they are whole, of 1000.
  std::uint64_t flip_permille = 0;
};

/// One direction of a TCP connection: bytes arrive in order, in pieces of any size, late, or end
/// with a reset. What was cut off waits, as TCP repeats it, until it gives up.
class SimPipe : public std::enable_shared_from_this<SimPipe> {
 public:
  /// After this long without getting through the connection is given up.
  static constexpr microseconds kPatience = std::chrono::seconds(15);

  struct Ends {
    /// Whether anything gets through just now.
    std::function<bool()> open;
    /// How much longer the sender is busy: what it sends leaves only then.
    std::function<microseconds()> busy;
    /// A piece arrives; false: the receiver has closed the connection.
    std::function<bool(std::string_view)> receive;
    /// A piece has arrived: there is room for more.
    std::function<void()> moved;
    /// The connection is no more, seen from the sender.
    std::function<void(std::string)> lost;
  };
  SimPipe(World& world, const PipeFaults& faults, Ends ends)
      : world_(world), faults_(faults), ends_(std::move(ends)) {}

  /// Arrives in pieces, and leaves as soon as the sender is not busy any more.
  void Send(std::string_view bytes);
  /// Bytes that are on their way.
  std::size_t waiting() const { return waiting_; }
  /// No end hears of it any more.
  void Close() { closed_ = true; }
  bool closed() const { return closed_; }
  /// A bit of what it carried has flipped.
  bool flipped() const { return flipped_; }

 private:
  struct Piece {
    std::string bytes;
    microseconds not_before{0};
  };

  void Pump();
  void PumpAgain(microseconds delay);
  std::string TakePiece();
  void Deliver(std::string bytes);
  void Break(std::string reason);
  microseconds Delay();

  World& world_;
  const PipeFaults& faults_;
  const Ends ends_;
  std::deque<Piece> pieces_;
  std::size_t waiting_ = 0;
  bool pumping_ = false;
  bool closed_ = false;
  bool flipped_ = false;
  microseconds stuck_since_{-1};
};

}  // namespace drumbeat::simulation
