// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <ranges>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include "raft/entry_window.h"
#include "raft/raft.h"

namespace drumbeat::raft::testing {

/// A 64-bit hash of whatever a replica consists of: numbers, containers, messages, and objects that
/// offer their fields().
class StateHash {
 public:
  std::uint64_t value() const { return value_; }

  void Add(std::integral auto number) { Mix(static_cast<std::uint64_t>(number)); }
  template <class E>
    requires std::is_enum_v<E>
  void Add(E value) {
    Mix(static_cast<std::uint64_t>(value));
  }
  template <class Tag>
  void Add(Id<Tag> id) {
    Mix(id.value());
  }
  void Add(std::string_view text) {
    Mix(text.size());
    for (const char c : text) Mix(static_cast<unsigned char>(c));
  }
  void Add(const std::string& text) { Add(std::string_view(text)); }
  void Add(const base::Bytes& bytes) { Add(bytes.view()); }
  template <class T>
  void Add(const std::optional<T>& value) {
    Add(value.has_value());
    if (value) Add(*value);
  }
  template <class... T>
  void Add(const std::tuple<T...>& parts) {
    std::apply([this](const auto&... part) { (Add(part), ...); }, parts);
  }
  template <class A, class B>
  void Add(const std::pair<A, B>& pair) {
    Add(pair.first);
    Add(pair.second);
  }
  template <class... T>
  void Add(const std::variant<T...>& value) {
    Add(value.index());
    std::visit([this](const auto& held) { Add(held); }, value);
  }
  void Add(const EntryWindow& window) {
    Add(window.size());
    for (std::size_t i = 0; i < window.size(); ++i) Add(window[i]);
  }
  template <class T>
    requires requires(const T& object) { object.fields(); }
  void Add(const T& object) {
    Add(object.fields());
  }
  template <std::ranges::sized_range R>
    requires(!std::convertible_to<R, std::string_view>)
  void Add(const R& range) {
    Add(std::ranges::size(range));
    for (const auto& element : range) Add(element);
  }

  // Structures of the core, field by field.
  void Add(const Entry& e) {
    Add(std::tie(e.term, e.index, e.type, e.key, e.client_id, e.series_id, e.responded_to,
                 e.command));
  }
  void Add(const HardState& s) { Add(std::tie(s.term, s.vote, s.commit)); }
  void Add(const Membership& m) {
    Add(std::tie(m.config_change_id, m.voters, m.non_votings, m.witnesses, m.removed));
  }
  void Add(const SnapshotRecord& s) {
    Add(std::tie(s.index, s.term, s.membership, s.image_bytes, s.witness, s.on_disk_index));
  }
  void Add(const ReadContext& c) { Add(std::tie(c.low, c.high)); }
  void Add(const LeaderChange& c) { Add(std::tie(c.leader, c.term)); }
  void Add(const ReadReady& r) { Add(std::tie(r.index, r.context)); }
  void Add(const DroppedRead& r) { Add(std::tie(r.context, r.reason)); }
  void Add(const DroppedProposal& p) { Add(std::tie(p.entry, p.reason)); }
  void Add(const SendSnapshot& s) { Add(std::tie(s.to, s.snapshot)); }
  void Add(const Output& o) {
    Add(std::tie(o.messages_now, o.hard_state, o.must_sync, o.entries, o.received_snapshot,
                 o.messages_after_save, o.committed, o.reads, o.dropped_proposals, o.dropped_reads,
                 o.snapshots_to_send, o.leader_change));
  }
  void Add(const Envelope& e) { Add(std::tie(e.shard, e.from, e.to, e.term, e.message)); }
  void Add(const AppendEntries& m) {
    Add(std::tie(m.previous, m.previous_term, m.commit, m.entries));
  }
  void Add(const AppendReply& m) { Add(std::tie(m.index, m.rejected, m.hint)); }
  void Add(const RequestVote& m) { Add(std::tie(m.last_index, m.last_term, m.transfer)); }
  void Add(const VoteReply& m) { Add(m.rejected); }
  void Add(const RequestPreVote& m) { Add(std::tie(m.last_index, m.last_term, m.transfer)); }
  void Add(const PreVoteReply& m) { Add(m.rejected); }
  void Add(const Heartbeat& m) { Add(std::tie(m.commit, m.context)); }
  void Add(const HeartbeatReply& m) { Add(m.context); }
  void Add(const ForwardedProposal& m) { Add(m.entries); }
  void Add(const ReadIndexRequest& m) { Add(m.context); }
  void Add(const ReadIndexReply& m) { Add(std::tie(m.index, m.context)); }
  void Add(const LeaderTransferRequest& m) { Add(m.target); }
  void Add(const TimeoutNow&) {}
  void Add(const NoOp&) {}
  void Add(const QuiesceNotice&) {}
  void Add(const RateLimitReport& m) { Add(m.bytes); }
  void Add(const SnapshotReceived&) {}
  void Add(const InstallSnapshot& m) { Add(m.snapshot); }

 private:
  // The finalizer of splitmix64 over a running sum.
  void Mix(std::uint64_t word) {
    std::uint64_t x = (value_ + 0x9e3779b97f4a7c15u) ^ (word * 0xff51afd7ed558ccdu);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    value_ = x ^ (x >> 31);
  }

  std::uint64_t value_ = 0;
};

}  // namespace drumbeat::raft::testing
