// SPDX-License-Identifier: Apache-2.0
#include "transport/outgoing_link.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "codec/wire_message.h"

namespace drumbeat::transport {
namespace {

LinkEnds EndsOf(const QueuedMessage& message) {
  const raft::Envelope& envelope = message.envelope;
  return {.shard = envelope.shard, .from = envelope.from, .to = envelope.to};
}

}  // namespace

void OutgoingLink::Push(raft::Envelope message, Time now) {
  if (state_ != State::kUp) last_used_ = now;
  // A transfer that overtook the proposals before it would have them refused.
  const bool data = codec::EntriesOf(message.message) != nullptr ||
                    std::holds_alternative<raft::LeaderTransferRequest>(message.message);
  (data ? data_ : urgent_).Push(std::move(message), now);
  if (state_ != State::kUp) Expire(now - kMaxAge);
}

void OutgoingLink::Expire(Time oldest) {
  urgent_.Expire(oldest);
  data_.Expire(oldest);
}

// A large one at the front of the data goes alone: every other frame begins with data, so that it
// has its turn however much overtakes it.
void OutgoingLink::TakeBatch(std::vector<QueuedMessage>& batch) {
  const bool data_first = urgent_.empty() || (data_waited_ && !data_.empty());
  SendQueue& first = data_first ? data_ : urgent_;
  SendQueue& second = data_first ? urgent_ : data_;
  frame_queued_at_ = first.front().queued_at;
  ends_ = EndsOf(first.front());
  const std::size_t taken = first.TakeBatch(kBatchBytes, batch);
  const std::size_t of_first = batch.size();
  if (taken < kBatchBytes) second.TakeBatch(kBatchBytes - taken, batch);
  if (batch.size() > of_first) {
    frame_queued_at_ = std::min(frame_queued_at_, batch[of_first].queued_at);
  }
  data_waited_ = !data_first && batch.size() == of_first && !data_.empty();
}

LinkActions OutgoingLink::Flush(Time now) {
  LinkActions actions;
  if (state_ == State::kIdle) {
    DialOrPause(now, actions);
  } else if (state_ == State::kUp) {
    actions.write = !writing_ && !blocked_ && HasOutput();
  }
  return actions;
}

LinkActions OutgoingLink::Dialed(Time now) {
  DRUMBEAT_CHECK(state_ == State::kDialing, "only a dial that was asked for can succeed");
  state_ = State::kUp;
  blocked_ = false;
  stalled_since_.reset();
  up_since_ = last_used_ = now;
  DropOld(now);

  LinkActions actions;
  LinkUp up{.ends = ends_, .tell = told_ != Told::kUp, .log = false, .away = {}};
  if (told_ == Told::kDown) up.away = now - down_since_;
  // One that flaps is logged now and then.
  up.log = up.tell && (proven_ || !up_logged_at_ || now - *up_logged_at_ >= kLogPeriod);
  if (up.log) up_logged_at_ = now;
  unlogged_up_.reset();
  if (up.tell && !up.log) {
    unlogged_up_ = LinkUp{.ends = up.ends, .tell = false, .log = true, .away = up.away};
  }
  told_ = Told::kUp;
  actions.up = std::move(up);
  actions.write = HasOutput();
  actions.watch_deadline = true;
  return actions;
}

LinkActions OutgoingLink::DialFailed(std::string reason, Time now) {
  DRUMBEAT_CHECK(state_ == State::kDialing, "only a dial that was asked for can fail");
  LinkActions actions;
  breaker_.Failed(now);
  // It may have come up behind the dial's back.
  if (heard_while_dialing_) breaker_.Heard(now);
  proven_ = true;  // Not one that accepts and hangs up.
  ReportDown(std::move(reason), now, actions);
  DialOrPause(now, actions);
  return actions;
}

LinkActions OutgoingLink::Lost(std::string reason, Time now) {
  DRUMBEAT_CHECK(!writing_, "a connection is let go only when nobody writes on it");
  LinkActions actions;
  if (state_ != State::kUp) return actions;
  proven_ = now - up_since_ >= kProofTime;
  if (proven_) {
    breaker_.Succeeded();
  } else {
    breaker_.Failed(now);
  }
  if (frame_ == Frame::kUnderWay) frame_ = Frame::kBroken;
  blocked_ = false;
  stalled_since_.reset();
  actions.close = true;
  ReportDown(std::move(reason), now, actions);
  DialOrPause(now, actions);
  return actions;
}

LinkActions OutgoingLink::Heard(Time now) {
  LinkActions actions;
  breaker_.Heard(now);
  heard_while_dialing_ = state_ == State::kDialing;
  if (state_ == State::kPausing) DialOrPause(now, actions);
  return actions;
}

std::optional<Time> OutgoingLink::IdleSince() const {
  if (state_ != State::kUp || writing_ || HasOutput()) return std::nullopt;
  return last_used_;
}

LinkActions OutgoingLink::CloseIdle() {
  LinkActions actions;
  if (!IdleSince()) return actions;
  state_ = State::kIdle;
  actions.close = true;
  return actions;
}

LinkActions OutgoingLink::Tick(Time now) {
  LinkActions actions;
  if (state_ == State::kPausing && breaker_.Allows(now)) DialOrPause(now, actions);
  if (state_ != State::kUp) return actions;
  if (unlogged_up_ && now - up_since_ >= kProofTime) {
    // It stays: who read that it was lost is to read that it is back.
    actions.up = std::exchange(unlogged_up_, std::nullopt);
    up_logged_at_ = now;
  }
  if (stalled_since_ && now - *stalled_since_ >= kStallLimit) {
    actions.fail = "write: nothing was taken for 5 s";
  } else if (const auto idle = IdleSince(); idle && now - *idle >= kIdleLimit) {
    actions.close = CloseIdle().close;
  }
  return actions;
}

std::optional<Time> OutgoingLink::deadline() const {
  if (state_ == State::kPausing) return breaker_.retry_at();
  if (state_ != State::kUp) return std::nullopt;
  const Time end = stalled_since_ ? *stalled_since_ + kStallLimit : last_used_ + kIdleLimit;
  return unlogged_up_ ? std::min(end, up_since_ + kProofTime) : end;
}

bool OutgoingLink::BeginWrite() {
  if (state_ != State::kUp || writing_ || blocked_ || !HasOutput()) return false;
  writing_ = true;
  return true;
}

NextWrite OutgoingLink::NextToWrite(std::vector<QueuedMessage>& batch, Time now) {
  DRUMBEAT_CHECK(writing_, "who writes has taken the right to");
  if (frame_ == Frame::kBroken) {
    frame_ = Frame::kUnderWay;
    return NextWrite::kRepeat;
  }
  if (frame_ == Frame::kUnderWay) return NextWrite::kContinue;
  if (queued() == 0) {
    writing_ = false;
    return NextWrite::kNothing;
  }
  TakeBatch(batch);
  frame_ = Frame::kUnderWay;
  last_used_ = now;
  return NextWrite::kEncode;
}

void OutgoingLink::Wrote(Time now) {
  stalled_since_.reset();
  last_used_ = now;
}

void OutgoingLink::WroteFrame(Time now) {
  frame_ = Frame::kNone;
  Wrote(now);
}

void OutgoingLink::Stalled(Time now) {
  if (!stalled_since_) stalled_since_ = now;
}

void OutgoingLink::Blocked(Time now) {
  Stalled(now);
  writing_ = false;
  blocked_ = true;
}

bool OutgoingLink::Drained() const {
  return !writing_ && (state_ == State::kIdle || state_ == State::kPausing || !HasOutput());
}

bool OutgoingLink::Forgettable(Time now) const {
  return state_ == State::kIdle && !writing_ && !HasOutput() && breaker_.Allows(now) &&
         now - last_used_ >= kForgetAfter && now - down_since_ >= kForgetAfter;
}

void OutgoingLink::DropOld(Time now) {
  Expire(now - kMaxAge);
  if (frame_ == Frame::kBroken && frame_queued_at_ < now - kMaxAge) frame_ = Frame::kNone;
}

void OutgoingLink::DialOrPause(Time now, LinkActions& actions) {
  state_ = State::kIdle;
  DropOld(now);
  if (breaker_.Allows(now)) {
    if (!HasOutput()) return;
    state_ = State::kDialing;
    heard_while_dialing_ = false;
    if (queued() > 0) ends_ = EndsOf((urgent_.empty() ? data_ : urgent_).front());
    actions.dial = true;
  } else {
    state_ = State::kPausing;
    actions.watch_deadline = true;
  }
}

void OutgoingLink::ReportDown(std::string reason, Time now, LinkActions& actions) {
  LinkDown down{.reason = std::move(reason), .tell = told_ != Told::kDown, .log = false};
  const bool spoke_lately = down_logged_at_ && now - *down_logged_at_ < kLogPeriod;
  down.log = !spoke_lately || (down.tell && proven_);
  if (down.log) down_logged_at_ = now;
  if (down.tell) down_since_ = now;
  told_ = Told::kDown;
  actions.down = std::move(down);
}

}  // namespace drumbeat::transport
