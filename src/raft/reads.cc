// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "raft/core.h"

namespace drumbeat::raft {

void Core::ReadIndex(ReadContext context) {
  DRUMBEAT_CHECK(context.low != 0, "a context with low 0 would never be confirmed");
  WakeUp();
  if (role_ == Role::kLeader) return AddRead(context, ReplicaId{0});
  const bool relays = (role_ == Role::kFollower || role_ == Role::kNonVoting) && leader_;
  if (!relays) {
    out_.dropped_reads.push_back({.context = context, .reason = DropReason::kNoLeader});
    return;
  }
  forwarded_reads_.Add(context);
  SendWithTerm(leader_, Term{0}, ReadIndexRequest{.context = context});
}

void Core::HandleReadIndexRequest(Sender sender, const ReadIndexRequest& request) {
  if (FindMember(sender.id)->kind() == MemberKind::kWitness) return;  // has no state to read
  AddRead(request.context, sender.id);
}

void Core::AddRead(ReadContext context, ReplicaId from) {
  // Thesis 6.4, step 1: before the first commit of its term a leader does not know what is
  // committed. The read waits for it.
  const Index index = HasCommittedInTerm() ? log_.committed() : Index{0};
  switch (reads_.Add(context, from, index)) {
    case ReadQueue::Added::kDuplicate: return;
    case ReadQueue::Added::kFull:
      if (!from) out_.dropped_reads.push_back({.context = context, .reason = DropReason::kBusy});
      return;
    case ReadQueue::Added::kYes: break;
  }
  if (!index) return;
  read_heartbeats_due_ = true;
  if (Alone()) ConfirmReads();
}

void Core::ConfirmReads() {
  if (reads_.empty()) return;
  std::vector<std::uint64_t> rounds;
  rounds.reserve(members_.size());
  for (const MemberProgress& member : members_) {
    if (!member.voting()) continue;
    const bool self = member.id() == options_.replica;
    rounds.push_back(self ? std::numeric_limits<std::uint64_t>::max() : member.confirmed_read());
  }
  for (const PendingRead& read : reads_.TakeConfirmed(QuorumValue<std::uint64_t>(rounds))) {
    AnswerRead(read);
  }
}

// Each with its own context, also those that a later round swept along.
void Core::AnswerRead(const PendingRead& read) {
  if (!read.from) {
    out_.reads.push_back({.index = read.index, .context = read.context});
    return;
  }
  Send(read.from, ReadIndexReply{.index = read.index, .context = read.context});
}

void Core::DropReads() {
  for (const PendingRead& read : reads_.TakeAll()) {
    if (read.from) continue;
    out_.dropped_reads.push_back({.context = read.context, .reason = DropReason::kNoLeader});
  }
}

// Reads that were passed on before had begun when the leader noted this index, so it serves them,
// too. Their own answers may be lost; and a Dragonboat leader answers what a later round swept
// along in that round's name.
void Core::HandleReadIndexReply(ReplicaId, const ReadIndexReply& reply) {
  for (const ReadContext context : forwarded_reads_.TakeThrough(reply.context)) {
    out_.reads.push_back({.index = reply.index, .context = context});
  }
}

// One round for all reads that came since the last output: its context is the newest one's.
void Core::SendReadHeartbeats() {
  read_heartbeats_due_ = false;
  const auto newest = reads_.newest();
  if (!newest) return;
  for (const MemberProgress& member : members_) {
    if (member.voting() && member.id() != options_.replica) SendHeartbeat(member, *newest);
  }
}

}  // namespace drumbeat::raft
