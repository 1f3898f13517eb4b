// SPDX-License-Identifier: Apache-2.0
#include "raft/message_check.h"

namespace drumbeat::raft {
namespace {

template <class T>
bool InRange(T number) {
  return number.value() < kCountLimit;
}

/// Only the place before the first entry has term 0, and it has no other.
bool IsPosition(Index index, Term term) {
  return InRange(index) && InRange(term) && (index == Index{0}) == (term == Term{0});
}

struct Check {
  Term sender_term;

  bool operator()(const AppendEntries& m) const {
    if (!IsPosition(m.previous, m.previous_term) || m.previous_term > sender_term) return false;
    Index index = m.previous;
    Term term = m.previous_term;
    for (const Entry& entry : m.entries) {
      if (entry.index != ++index || entry.term < term || entry.term == Term{0}) return false;
      term = entry.term;
    }
    return term <= sender_term;
  }
  bool operator()(const AppendReply& m) const { return InRange(m.index); }
  bool operator()(const RequestVote& m) const { return IsPosition(m.last_index, m.last_term); }
  bool operator()(const RequestPreVote& m) const { return IsPosition(m.last_index, m.last_term); }
  bool operator()(const ReadIndexRequest& m) const { return static_cast<bool>(m.context); }
  bool operator()(const ReadIndexReply& m) const { return InRange(m.index); }
  bool operator()(const InstallSnapshot& m) const {
    const SnapshotRecord& s = m.snapshot;
    return s.index && s.term && InRange(s.index) && InRange(s.term) && !s.membership.voters.empty();
  }
  template <class M>
  bool operator()(const M&) const {
    return true;
  }
};

}  // namespace

bool IsWellFormed(const Envelope& envelope) {
  const bool term_fits = std::visit(
      [&]<class M>(const M&) {
        return !kCarriesTerm<M> || (envelope.term && InRange(envelope.term));
      },
      envelope.message);
  return term_fits && std::visit(Check{envelope.term}, envelope.message);
}

}  // namespace drumbeat::raft
