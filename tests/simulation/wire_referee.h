// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "simulation/raw_record.h"

namespace drumbeat::simulation {

/// What a host must never send, because it ends or corrupts a Dragonboat process; the table in
/// src/codec/FORMATS.md has a row for each.
enum class WireRule {
  kIdentity,
  kWholeRequests,
  kSourceAddress,
  kReceiver,
  kTypes,
  kPreVote,
  kHeartbeatCommit,
  kReadEcho,
  kEntriesFollow,
  kAcknowledged,
  kForwardedTerm,
  kReadContext,
  kVoteHint,
  kOneChange,
  kClientKey,
  kClientlessCommand,
  kEncodedCommand,
  kConfigChange,
  kMetadata,
  kChunkHead,
  kImageName,
  kSnapshotMembers,
  kFileSize,
  kFileMode,
  kWitnessImage,
  kSessions,
  kAddressFirst,
  kCount_,
};
std::string_view NameOf(WireRule rule);

/// Reads every byte that the hosts of one shard send, as a Dragonboat process would that stood in
/// each receiver's place, and remembers what the rules need: who acknowledged what to whom, and so
/// on. Reads with RawRecord, not with codec/.
class WireReferee {
 public:
  /// Whether the members have pre-votes switched on.
  bool pre_vote = false;

  /// A batch of messages on its way. The first rule that it breaks, if it does.
  std::optional<WireRule> Batch(const std::string& from, const std::string& to,
                                std::string_view bytes);
  /// A chunk of a snapshot.
  std::optional<WireRule> Chunk(const std::string& from, const std::string& to,
                                std::string_view bytes);

  /// How often the rule had something to judge.
  std::uint64_t Judged(WireRule rule) const { return judged_[static_cast<std::size_t>(rule)]; }

 private:
  struct Message {
    RawRecord record;
    std::uint64_t type = 0;
    std::uint64_t to = 0;
    std::uint64_t from = 0;
    std::uint64_t term = 0;
    std::uint64_t log_index = 0;
    std::uint64_t commit = 0;
    std::uint64_t hint = 0;
    std::uint64_t hint_high = 0;
  };
  /// A leader of a term.
  using Leadership = std::pair<std::uint64_t, std::uint64_t>;
  /// What one leader of one term has said and heard.
  struct Leader {
    std::uint64_t last_sent = 0;
    std::uint64_t last_change = 0;
    std::map<std::uint64_t, std::uint64_t> acknowledged;  // by follower
    std::set<std::pair<std::uint64_t, std::uint64_t>> contexts;
  };

  /// A snapshot on its way.
  struct Transfer {
    std::string image;
    std::uint64_t next = 0;
    std::uint64_t count = 0;
  };

  void Judge(WireRule rule, bool holds);
  void Request(const std::string& address, std::string_view bytes);
  void Ends(const std::string& address, const Message& message);
  void Header(const Message& message);
  void Replicate(const Message& message);
  void Heartbeat(const Message& message);
  void Acknowledgement(const Message& message);
  void Forwarded(const Message& message);
  void Entry(const RawEntry& entry, bool to_witness);
  void ClientEntry(const RawEntry& entry);
  void Change(const RawEntry& entry);
  void ChunkHead(const RawRecord& chunk);
  void ChunkOrder(const RawRecord& chunk, Transfer& transfer);
  void Image(const std::string& image);

  std::array<std::uint64_t, static_cast<std::size_t>(WireRule::kCount_)> judged_{};
  std::optional<WireRule> broken_;
  std::map<std::uint64_t, std::string> address_of_;
  std::map<Leadership, Leader> leaders_;
  /// Up to where a sender's snapshots reached, by sender and receiver.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> snapshots_;
  std::set<std::uint64_t> witnesses_;
  std::set<std::pair<std::string, std::string>> introduced_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Transfer> transfers_;
};

}  // namespace drumbeat::simulation
