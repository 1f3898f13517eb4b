// SPDX-License-Identifier: Apache-2.0
#include "simulation/wire_referee.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>

#include <nlohmann/json.hpp>
#include <snappy.h>

#include "base/byte_coding.h"
#include "base/crc.h"

namespace drumbeat::simulation {
namespace {

constexpr std::uint64_t kNoOp = 4;
constexpr std::uint64_t kPropose = 7;
constexpr std::uint64_t kReplicate = 12;
constexpr std::uint64_t kReplicateResp = 13;
constexpr std::uint64_t kRequestVote = 14;
constexpr std::uint64_t kInstallSnapshot = 16;
constexpr std::uint64_t kHeartbeat = 17;
constexpr std::uint64_t kHeartbeatResp = 18;
constexpr std::uint64_t kReadIndex = 19;
constexpr std::uint64_t kQuiesce = 21;
constexpr std::uint64_t kSnapshotReceived = 22;
constexpr std::uint64_t kLeaderTransfer = 23;
constexpr std::uint64_t kRequestPreVote = 26;
constexpr std::uint64_t kRequestPreVoteResp = 27;

constexpr std::uint64_t kApplication = 0;
constexpr std::uint64_t kConfigChange = 1;
constexpr std::uint64_t kEncoded = 2;
constexpr std::uint64_t kMetadata = 3;

constexpr std::uint64_t kAddWitness = 3;
constexpr std::uint64_t kRemove = 1;

constexpr std::size_t kHeaderBytes = 1024;
constexpr std::size_t kBlockBytes = 2u << 20;
constexpr std::size_t kTailBytes = 16;

/// A host of dotted labels that begin with a letter, or an IPv4 address, and a port.
bool IsAddress(std::string_view address) {
  const std::size_t colon = address.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view port = address.substr(colon + 1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.begin(), port.end(), number);
  if (error != std::errc() || end != port.end() || number == 0 || number > 65535) return false;
  return std::ranges::all_of(address.substr(0, colon), [](char c) {
    return c == '.' || c == '-' || std::isalnum(static_cast<unsigned char>(c)) != 0;
  });
}

/// Whether a stream begins with a session table that Dragonboat takes.
bool SessionsAreFit(std::string_view stream) {
  if (stream.size() < 16 || base::LoadLittle<std::uint64_t>(stream.data()) != 4096) return false;
  std::uint64_t sessions = base::LoadLittle<std::uint64_t>(stream.data() + 8);
  for (stream.remove_prefix(16); sessions > 0; --sessions) {
    if (stream.size() < 8) return false;
    const auto size = base::LoadLittle<std::uint64_t>(stream.data());
    stream.remove_prefix(8);
    if (size > stream.size()) return false;
    const auto session = nlohmann::json::parse(stream.substr(0, size), nullptr, false);
    stream.remove_prefix(size);
    if (!session.is_object() || !session.contains("History") || !session["History"].is_object()) {
      return false;
    }
    for (const char* number : {"ClientID", "RespondedUpTo"}) {
      if (!session.contains(number) || !session[number].is_number_unsigned()) return false;
    }
  }
  return true;
}

}  // namespace

std::string_view NameOf(WireRule rule) {
  static constexpr std::string_view kNames[] = {
      "identity",        "whole requests",   "source address",   "receiver",
      "types",           "pre-vote",         "heartbeat commit", "read echo",
      "entries follow",  "acknowledged",     "forwarded term",   "read context",
      "vote hint",       "one change",       "client key",       "command without client",
      "encoded command", "config change",    "metadata",         "chunk head",
      "image name",      "snapshot members", "file size",        "file mode",
      "witness image",   "sessions",         "address first"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(WireRule::kCount_));
  return kNames[static_cast<std::size_t>(rule)];
}

void WireReferee::Judge(WireRule rule, bool holds) {
  ++judged_[static_cast<std::size_t>(rule)];
  if (!holds && !broken_) broken_ = rule;
}

// -- Batches --------------------------------------------------------------------------------------

std::optional<WireRule> WireReferee::Batch(const std::string& from, const std::string& to,
                                           std::string_view bytes) {
  broken_.reset();
  const std::optional<RawRecord> batch = RawRecord::Read(bytes);
  Judge(WireRule::kWholeRequests, batch.has_value());
  if (!batch) return broken_;
  Judge(WireRule::kIdentity, batch->Number(2) == 1 && batch->Number(4) == 210);
  Judge(WireRule::kSourceAddress, batch->Text(3) == from && IsAddress(from));
  for (const std::string_view request : batch->Texts(1)) Request(from, request);
  introduced_.insert({from, to});
  return broken_;
}

void WireReferee::Request(const std::string& address, std::string_view bytes) {
  std::optional<RawRecord> record = RawRecord::Read(bytes);
  Judge(WireRule::kWholeRequests, record.has_value());
  if (!record) return;
  Message message{.record = std::move(*record)};
  const RawRecord& fields = message.record;
  message.type = fields.Number(1);
  message.to = fields.Number(2);
  message.from = fields.Number(3);
  message.term = fields.Number(5);
  message.log_index = fields.Number(7);
  message.commit = fields.Number(8);
  message.hint = fields.Number(10);
  message.hint_high = fields.Number(13);
  Ends(address, message);
  Header(message);
  switch (message.type) {
    case kReplicate: return Replicate(message);
    case kReplicateResp: return Acknowledgement(message);
    case kHeartbeat:
    case kHeartbeatResp: return Heartbeat(message);
    case kPropose: return Forwarded(message);
    default: return;
  }
}

void WireReferee::Ends(const std::string& address, const Message& message) {
  Judge(WireRule::kReceiver, message.to != 0 && message.from != message.to);
  // Dragonboat's address book is write-once.
  Judge(WireRule::kSourceAddress,
        address_of_.emplace(message.from, address).first->second == address);
}

void WireReferee::Header(const Message& message) {
  const std::uint64_t type = message.type;
  Judge(WireRule::kTypes,
        type == kNoOp || type == kPropose ||
            (type >= kReplicate && type <= kRequestPreVoteResp && type != kInstallSnapshot));
  if (type == kRequestPreVote || type == kRequestPreVoteResp) Judge(WireRule::kPreVote, pre_vote);
  const bool forwarded = type == kPropose || type == kReadIndex || type == kLeaderTransfer;
  if (forwarded || type == kQuiesce || type == kSnapshotReceived) {
    Judge(WireRule::kForwardedTerm, message.term == 0);
  } else {
    Judge(WireRule::kTypes, message.term != 0);
  }
  if (type == kReadIndex) Judge(WireRule::kReadContext, message.hint != 0);
  if (type == kRequestVote || type == kRequestPreVote) {
    Judge(WireRule::kVoteHint, message.hint == 0 || message.hint == message.from);
  }
}

void WireReferee::Heartbeat(const Message& message) {
  const std::pair context(message.hint, message.hint_high);
  if (message.type == kHeartbeatResp) {
    const auto leader = leaders_.find({message.to, message.term});
    Judge(WireRule::kReadEcho, message.hint == 0 || (leader != leaders_.end() &&
                                                     leader->second.contexts.contains(context)));
    return;
  }
  Leader& leader = leaders_[{message.from, message.term}];
  leader.contexts.insert(context);
  if (message.commit > 0) {
    Judge(WireRule::kHeartbeatCommit, message.commit <= leader.acknowledged[message.to]);
  }
}

void WireReferee::Acknowledgement(const Message& message) {
  if (message.record.Number(9) != 0) return;  // a rejection
  const auto leader = leaders_.find({message.to, message.term});
  if (leader == leaders_.end()) return;  // to the sender of a snapshot that no longer leads
  const std::uint64_t by_snapshot = snapshots_[{message.to, message.from}];
  Judge(WireRule::kAcknowledged,
        message.log_index <= std::max(leader->second.last_sent, by_snapshot));
  std::uint64_t& known = leader->second.acknowledged[message.from];
  known = std::max(known, message.log_index);
}

void WireReferee::Replicate(const Message& message) {
  Leader& leader = leaders_[{message.from, message.term}];
  const bool to_witness = witnesses_.contains(message.to);
  const std::uint64_t log_term = message.record.Number(6);
  Judge(WireRule::kEntriesFollow, log_term != 0 || message.log_index == 0);
  std::uint64_t index = message.log_index;
  std::uint64_t term = log_term;
  for (const std::string_view bytes : message.record.Texts(11)) {
    const std::optional<RawEntry> entry = RawEntry::Read(bytes);
    Judge(WireRule::kWholeRequests, entry.has_value());
    if (!entry) return;
    Judge(WireRule::kEntriesFollow,
          entry->index == ++index && entry->term >= term && entry->term <= message.term);
    term = entry->term;
    Entry(*entry, to_witness);
    if (entry->type != kConfigChange || entry->key == 0) continue;  // key 0: of the founders
    // Whoever has the second of two changes must know that the first is committed.
    if (leader.last_change != 0 && entry->index > leader.last_change) {
      Judge(WireRule::kOneChange, message.commit >= leader.last_change);
    }
    leader.last_change = std::max(leader.last_change, entry->index);
  }
  leader.last_sent = std::max(leader.last_sent, index);
}

void WireReferee::Forwarded(const Message& message) {
  for (const std::string_view bytes : message.record.Texts(11)) {
    const std::optional<RawEntry> entry = RawEntry::Read(bytes);
    Judge(WireRule::kWholeRequests, entry.has_value());
    if (!entry) return;
    Judge(WireRule::kForwardedTerm, entry->term == 0 && entry->index == 0);
    Entry(*entry, false);
  }
}

// -- Entries --------------------------------------------------------------------------------------

void WireReferee::Entry(const RawEntry& entry, bool to_witness) {
  Judge(WireRule::kMetadata,
        entry.type == kConfigChange || (entry.type == kMetadata) == to_witness);
  switch (entry.type) {
    case kConfigChange: return Change(entry);
    case kMetadata: return Judge(WireRule::kMetadata, entry.client == 0 && entry.command.empty());
    default: return ClientEntry(entry);
  }
}

void WireReferee::ClientEntry(const RawEntry& entry) {
  Judge(WireRule::kEncodedCommand, entry.type == kApplication || entry.type == kEncoded);
  if (entry.client == 0) return Judge(WireRule::kClientlessCommand, entry.command.empty());
  Judge(WireRule::kClientKey, entry.key != 0);
  if (entry.type != kEncoded) return Judge(WireRule::kEncodedCommand, entry.command.empty());
  const std::string_view command = entry.command;
  std::size_t bytes = 0;
  Judge(
      WireRule::kEncodedCommand,
      command.size() > 1 &&
          (command[0] == 0 ||
           (command[0] == 2 &&
            snappy::GetUncompressedLength(command.data() + 1, command.size() - 1, &bytes) &&
            bytes > 0 && snappy::IsValidCompressedBuffer(command.data() + 1, command.size() - 1))));
}

void WireReferee::Change(const RawEntry& entry) {
  const std::optional<RawRecord> change = RawRecord::Read(entry.command);
  Judge(WireRule::kConfigChange, change.has_value() && entry.client == 0);
  if (!change) return;
  const std::uint64_t type = change->Number(2);
  const std::uint64_t replica = change->Number(3);
  Judge(WireRule::kConfigChange,
        type <= kAddWitness && replica != 0 && (type == kRemove || IsAddress(change->Text(4))));
  if (type == kAddWitness) witnesses_.insert(replica);
  if (type == kRemove) witnesses_.erase(replica);
}

// -- Snapshots ------------------------------------------------------------------------------------

std::optional<WireRule> WireReferee::Chunk(const std::string& from, const std::string& to,
                                           std::string_view bytes) {
  broken_.reset();
  const std::optional<RawRecord> chunk = RawRecord::Read(bytes);
  Judge(WireRule::kWholeRequests, chunk.has_value());
  if (!chunk) return broken_;
  Judge(WireRule::kIdentity, chunk->Number(14) == 1 && chunk->Number(19) == 210);
  Judge(WireRule::kAddressFirst, introduced_.contains({from, to}));
  Judge(WireRule::kReceiver, chunk->Number(2) != 0 && chunk->Number(2) != chunk->Number(3));
  ChunkHead(*chunk);
  const std::pair route(chunk->Number(3), chunk->Number(2));
  Transfer& transfer = transfers_[route];
  if (chunk->Number(4) == 0) transfer = {};
  ChunkOrder(*chunk, transfer);
  transfer.image.append(chunk->Text(7));
  if (transfer.next == transfer.count) {
    Judge(WireRule::kFileSize, chunk->Number(13) == transfer.image.size());
    Image(transfer.image);
    std::uint64_t& reached = snapshots_[route];
    reached = std::max(reached, chunk->Number(8));
    transfers_.erase(route);
  }
  return broken_;
}

void WireReferee::ChunkHead(const RawRecord& chunk) {
  const bool to_witness = witnesses_.contains(chunk.Number(2));
  Judge(WireRule::kWitnessImage, (chunk.Number(21) != 0) == to_witness);
  char name[48];
  std::snprintf(name, sizeof(name), "snapshot-%016llX.gbsnap",
                static_cast<unsigned long long>(chunk.Number(8)));
  const std::string_view path = chunk.Text(12);
  Judge(WireRule::kImageName,
        path.substr(path.rfind('/') + 1) == (to_witness ? "witness.snapshot" : name));
  const std::optional<RawRecord> members = RawRecord::Read(chunk.Text(10));
  bool fit = members && members->Number(1) != 0 && !members->Texts(2).empty();
  for (const std::uint64_t kind : {2, 4, 5}) {
    if (!fit) break;
    for (const std::string_view text : members->Texts(kind)) {
      const std::optional<RawRecord> member = RawRecord::Read(text);
      fit = fit && member && member->Number(1) != 0 && IsAddress(member->Text(2));
    }
  }
  Judge(WireRule::kSnapshotMembers, fit);
  Judge(WireRule::kFileSize, chunk.Number(13) != 0 && chunk.Number(5) == chunk.Text(7).size());
}

void WireReferee::ChunkOrder(const RawRecord& chunk, Transfer& transfer) {
  if (transfer.next == 0) {
    transfer.count = chunk.Number(6);
    const std::string_view head = chunk.Text(7);
    bool whole = head.size() >= kHeaderBytes;
    const auto size = whole ? base::LoadLittle<std::uint64_t>(head.data()) : 0;
    whole = whole && size > 0 && size <= kHeaderBytes - 12;
    const std::string_view record = whole ? head.substr(8, size) : std::string_view();
    const auto crc = whole ? base::LoadBig<std::uint32_t>(head.data() + 8 + size) : 0;
    Judge(WireRule::kChunkHead, whole && RawRecord::Read(record) &&
                                    RawRecord::Read(record)->Number(8) == 2 &&
                                    (crc == 0 || crc == base::Crc32(record)));
  }
  // Of known length; 0 and 2^64-1 would mean a stream, which only on-disk machines load.
  Judge(WireRule::kFileMode, chunk.Number(6) == transfer.count && transfer.count > 0 &&
                                 transfer.count < (std::uint64_t{1} << 32) &&
                                 chunk.Number(4) == transfer.next &&
                                 chunk.Number(15) == transfer.next &&
                                 chunk.Number(16) == transfer.count && chunk.Number(17) == 0);
  ++transfer.next;
}

void WireReferee::Image(const std::string& image) {
  if (image.size() < kHeaderBytes + kTailBytes) return Judge(WireRule::kChunkHead, false);
  const std::string_view whole(image);
  const auto size = base::LoadLittle<std::uint64_t>(image.data());
  const std::optional<RawRecord> header = RawRecord::Read(whole.substr(8, size));
  if (!header || header->Number(9) != 0) return;  // compressed
  std::string stream;
  std::string_view blocks = whole.substr(kHeaderBytes, image.size() - kHeaderBytes - kTailBytes);
  while (blocks.size() > 4) {
    const std::size_t block = std::min(kBlockBytes, blocks.size() - 4);
    stream.append(blocks.substr(0, block));
    blocks.remove_prefix(block + 4);
  }
  Judge(WireRule::kSessions, SessionsAreFit(stream));
}

}  // namespace drumbeat::simulation
