// SPDX-License-Identifier: Apache-2.0
#include "raft/progress.h"

#include <algorithm>

#include "base/check.h"

namespace drumbeat::raft {

void MemberProgress::Reset(Index last) {
  match_ = Index{0};
  snapshot_ = Index{0};
  sent_commit_ = Index{0};
  active_ = false;
  unanswered_ = 0;
  lags_ = false;
  confirmed_read_ = 0;
  back_off_ = 1;
  Probe(last + 1);
}

void MemberProgress::SetOwnMatch(Index saved) {
  match_ = saved;
  next_ = saved + 1;
  active_ = true;
}

void MemberProgress::Heard() {
  active_ = true;
  unanswered_ = 0;
}

bool MemberProgress::MaySendEntries(const Inflight::Limits& limits) const {
  switch (state_) {
    case Progress::kProbe: return !waiting_;
    case Progress::kReplicate: return !inflight_.Full(limits);
    case Progress::kSnapshot: return false;
  }
  return false;
}

bool MemberProgress::OwesEmpty(Index committed) const {
  if (state_ == Progress::kSnapshot) return false;
  if (state_ == Progress::kProbe && waiting_) return nudge_;
  return nudge_ || sent_commit_ < committed;
}

void MemberProgress::Sent(Index last, std::uint64_t bytes, Index commit) {
  nudge_ = false;
  sent_commit_ = std::max(sent_commit_, commit);
  if (state_ == Progress::kProbe) {
    waiting_ = true;
  } else if (last >= next_) {
    next_ = last + 1;
    inflight_.Add(last, bytes);
  }
}

bool MemberProgress::Accept(Index index) {
  const bool news = index > match_;
  match_ = std::max(match_, index);
  next_ = std::max(next_, match_ + 1);
  inflight_.FreeTo(match_);
  // Even an answer without news proves that the logs agree up to match.
  const bool found =
      state_ == Progress::kProbe || (state_ == Progress::kSnapshot && match_ >= snapshot_);
  if (found) {
    state_ = Progress::kReplicate;
    next_ = match_ + 1;
    waiting_ = false;
    back_off_ = 1;
    inflight_.Clear();
  }
  return news;
}

bool MemberProgress::Reject(Index refused, Index hint) {
  // A late answer, or a member that lost what it had acknowledged: no probe will find that again.
  if (refused <= match_) return false;
  hint = std::min(hint, refused);
  const Index from_hint = std::max(match_ + 1, std::min(refused, hint + 1));
  switch (state_) {
    case Progress::kSnapshot: return false;
    case Progress::kReplicate: Probe(from_hint); return true;
    case Progress::kProbe: break;
  }
  if (refused + 1 != next_) return false;
  if (hint + 1 < refused) {
    back_off_ = 1;
    Probe(from_hint);
    return true;
  }
  // The hint does not help, as none of Dragonboat's does within a conflicting tail: double the
  // step each time, so that a long tail costs a few round trips instead of one for each entry.
  const std::uint64_t room = from_hint - (match_ + 1);
  Probe(from_hint - std::min(room, back_off_ - 1));
  back_off_ *= 2;
  return true;
}

// Heartbeats overtake what waits to be sent: a probe may still be on its way, and is not repeated.
// An empty one behind it says the same.
void MemberProgress::HeartbeatAnswered(Index last) {
  if (state_ == Progress::kProbe || (state_ == Progress::kReplicate && match_ < last))
    nudge_ = true;
}

void MemberProgress::Unreachable() {
  unanswered_ = kMissed;
  if (state_ == Progress::kReplicate) Probe(match_ + 1);
}

void MemberProgress::BeginSnapshot(Index index) {
  state_ = Progress::kSnapshot;
  snapshot_ = index;
  nudge_ = false;
  lags_ = true;
  inflight_.Clear();
}

void MemberProgress::EndSnapshot(bool failed) {
  if (state_ != Progress::kSnapshot) return;
  Probe(failed ? match_ + 1 : std::max(match_, snapshot_) + 1);
  // The member may not have stepped the snapshot yet; a probe would miss and ask for it again.
  waiting_ = true;
}

void MemberProgress::Probe(Index next) {
  state_ = Progress::kProbe;
  next_ = next;
  waiting_ = false;
  nudge_ = false;
  inflight_.Clear();
  DRUMBEAT_CHECK(next_ > match_, "a member is sent what it is not known to have");
}

}  // namespace drumbeat::raft
