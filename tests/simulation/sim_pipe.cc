// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_pipe.h"

#include <algorithm>
#include <utility>

namespace drumbeat::simulation {
namespace {

using std::chrono::milliseconds;

}  // namespace

void SimPipe::Send(std::string_view bytes) {
  if (bytes.empty()) return;
  waiting_ += bytes.size();
  pieces_.push_back({.bytes = std::string(bytes), .not_before = world_.now() + ends_.busy()});
  if (!std::exchange(pumping_, true)) PumpAgain(Delay());
}

microseconds SimPipe::Delay() {
  if (world_.Chance(faults_.slow_percent)) {
    world_.Count(Happening::kDelay);
    return world_.Between(microseconds(100), faults_.slow);
  }
  return world_.Between(microseconds(100), microseconds(1500));
}

void SimPipe::PumpAgain(microseconds delay) {
  world_.After(delay, [self = shared_from_this()] {
    if (!self->closed_) self->Pump();
  });
}

void SimPipe::Pump() {
  if (pieces_.empty()) {
    pumping_ = false;
    return;
  }
  // Its host may become free earlier than it seemed.
  const microseconds wait = std::min(pieces_.front().not_before - world_.now(), ends_.busy());
  if (wait.count() > 0) return PumpAgain(std::min(wait, microseconds(milliseconds(100))));
  if (!ends_.open()) {
    if (stuck_since_.count() < 0) {
      stuck_since_ = world_.now();
      world_.Count(Happening::kCut);
    }
    if (world_.now() - stuck_since_ > kPatience) return Break("connection timed out");
    return PumpAgain(world_.Between(milliseconds(100), milliseconds(400)));
  }
  stuck_since_ = microseconds(-1);
  if (world_.Chance(faults_.lost_percent)) {
    world_.Count(Happening::kLoss);
    return PumpAgain(world_.Between(milliseconds(200), milliseconds(800)));
  }
  Deliver(TakePiece());
  if (!closed_) PumpAgain(pieces_.empty() ? microseconds(0) : Delay());
}

// As TCP does it: what was written piece by piece arrives together when it waited.
std::string SimPipe::TakePiece() {
  std::string bytes = std::move(pieces_.front().bytes);
  pieces_.pop_front();
  while (!pieces_.empty() && pieces_.front().not_before <= world_.now()) {
    bytes += pieces_.front().bytes;
    pieces_.pop_front();
  }
  // Mostly whole, as loopback does it.
  if (!world_.Chance(80)) {
    const std::size_t part = 1 + world_.random.Below(bytes.size());
    if (part < bytes.size()) {
      pieces_.push_front({.bytes = bytes.substr(part), .not_before = world_.now()});
      bytes.resize(part);
    }
  }
  waiting_ -= bytes.size();
  return bytes;
}

void SimPipe::Deliver(std::string bytes) {
  if (world_.random.Below(1000) < faults_.reset_permille) {
    world_.Count(Happening::kReset);
    const std::size_t part = world_.random.Below(bytes.size() + 1);
    (void)ends_.receive(std::string_view(bytes).substr(0, part));
    return Break("connection reset by peer");
  }
  if (world_.random.Below(1000) < faults_.flip_permille) {
    const std::uint64_t bit = world_.random.Below(8 * bytes.size());
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    flipped_ = true;
    world_.Count(Happening::kWireFlip);
  }
  if (!ends_.receive(bytes)) return Break("closed by the other side");
  if (!closed_) ends_.moved();
}

void SimPipe::Break(std::string reason) {
  if (std::exchange(closed_, true)) return;
  ends_.lost(std::move(reason));
}

}  // namespace drumbeat::simulation
