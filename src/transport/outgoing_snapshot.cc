// SPDX-License-Identifier: Apache-2.0
#include "transport/outgoing_snapshot.h"

#include <utility>

#include "codec/frame.h"

namespace drumbeat::transport {

SnapshotStep OutgoingSnapshot::Start() {
  state_ = State::kDialing;
  return SnapshotStep::kDial;
}

SnapshotStep OutgoingSnapshot::Dialed() {
  if (state_ != State::kDialing) return SnapshotStep::kNothing;
  state_ = State::kFetching;
  return SnapshotStep::kFetch;
}

SnapshotStep OutgoingSnapshot::FetchedChunk(Time now, Time free_at) {
  if (state_ != State::kFetching) return SnapshotStep::kNothing;
  if (now < free_at) {
    state_ = State::kPausing;
    deadline_ = free_at;
    return SnapshotStep::kPause;
  }
  state_ = State::kWriting;
  deadline_ = now + kStallLimit;
  return SnapshotStep::kWrite;
}

SnapshotStep OutgoingSnapshot::FetchedEnd(Time now) {
  if (state_ != State::kFetching) return SnapshotStep::kNothing;
  state_ = State::kPoisoning;
  deadline_ = now + kStallLimit;
  return SnapshotStep::kPoison;
}

void OutgoingSnapshot::Progress(Time now) {
  if (state_ == State::kWriting || state_ == State::kPoisoning) deadline_ = now + kStallLimit;
}

SnapshotStep OutgoingSnapshot::Written(Time now) {
  if (state_ == State::kWriting) {
    state_ = State::kFetching;
    deadline_.reset();
    return SnapshotStep::kFetch;
  }
  if (state_ == State::kPoisoning) {
    state_ = State::kAwaitingAck;
    deadline_ = now + kAckLimit;
  }
  return SnapshotStep::kNothing;
}

SnapshotStep OutgoingSnapshot::Received(std::string_view bytes) {
  if (state_ == State::kFinished) return SnapshotStep::kNothing;
  ack_ += bytes;
  const bool awaited = state_ == State::kAwaitingAck || state_ == State::kPoisoning;
  if (!awaited || ack_ != codec::kPoison.substr(0, ack_.size())) {
    return Finish(Fail(ErrorCode::kTerminated, "the receiver sent something unexpected"));
  }
  return ack_ == codec::kPoison ? Finish({}) : SnapshotStep::kNothing;
}

SnapshotStep OutgoingSnapshot::Failed(Error error) {
  if (state_ == State::kFinished) return SnapshotStep::kNothing;
  return Finish(std::unexpected<Error>(std::move(error)));
}

SnapshotStep OutgoingSnapshot::Tick(Time now) {
  if (!deadline_ || now < *deadline_) return SnapshotStep::kNothing;
  if (state_ == State::kPausing) {
    state_ = State::kWriting;
    deadline_ = now + kStallLimit;
    return SnapshotStep::kWrite;
  }
  if (state_ == State::kAwaitingAck) {
    return Finish(Fail(ErrorCode::kTimeout, "the receiver did not confirm the end in 10 s"));
  }
  return Finish(Fail(ErrorCode::kTimeout, "the receiver took nothing for 5 s"));
}

std::optional<Time> OutgoingSnapshot::deadline() const { return deadline_; }

SnapshotStep OutgoingSnapshot::Finish(Result<void> result) {
  state_ = State::kFinished;
  deadline_.reset();
  result_ = std::move(result);
  return SnapshotStep::kFinish;
}

}  // namespace drumbeat::transport
