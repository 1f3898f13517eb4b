// SPDX-License-Identifier: Apache-2.0
#include "codec/records.h"

#include <cstdint>
#include <utility>

#include "base/byte_coding.h"
#include "codec/protobuf.h"

namespace drumbeat::codec {
namespace {

Error Bad(const char* what) {
  return Error{ErrorCode::kInvalidArgument, std::string("cannot decode ") + what};
}

void AppendMap(std::string& out, std::uint32_t number, const MemberMap& members) {
  for (const auto& [replica, address] : members) {
    std::string pair;
    AppendField(pair, 1, replica.value());
    AppendField(pair, 2, address);
    AppendField(out, number, pair);
  }
}

bool ReadPair(std::string_view bytes, MemberMap& members) {
  FieldReader fields(bytes);
  std::uint64_t replica = 0;
  std::string address;
  while (fields.Next()) {
    if (fields.number() == 1) replica = fields.Varint();
    if (fields.number() == 2) address = fields.Text();
  }
  members[ReplicaId(replica)] = std::move(address);
  return fields.ok();
}

bool ReadRemoved(std::string_view bytes, std::set<ReplicaId>& removed) {
  FieldReader fields(bytes);
  std::uint64_t replica = 0;
  bool is_removed = false;
  while (fields.Next()) {
    if (fields.number() == 1) replica = fields.Varint();
    if (fields.number() == 2) is_removed = fields.Bool();
  }
  if (is_removed) removed.insert(ReplicaId(replica));
  return fields.ok();
}

}  // namespace

std::string EncodeConfigChange(const raft::ConfigChange& change) {
  std::string out;
  AppendField(out, 1, change.config_change_id);
  AppendField(out, 2, static_cast<std::uint64_t>(change.type));
  AppendField(out, 3, change.replica.value());
  AppendField(out, 4, change.address);
  AppendField(out, 5, change.initialize ? 1 : 0);
  return out;
}

Result<raft::ConfigChange> DecodeConfigChange(std::string_view bytes) {
  raft::ConfigChange change;
  std::uint64_t type = 0;
  FieldReader fields(bytes);
  while (fields.Next()) {
    switch (fields.number()) {
      case 1: change.config_change_id = fields.Varint(); break;
      case 2: type = fields.Varint(); break;
      case 3: change.replica = ReplicaId(fields.Varint()); break;
      case 4: change.address = fields.Text(); break;
      case 5: change.initialize = fields.Bool(); break;
      default: break;
    }
  }
  if (!fields.ok() || type > static_cast<std::uint64_t>(raft::ConfigChangeType::kAddWitness)) {
    return std::unexpected(Bad("a membership change"));
  }
  change.type = static_cast<raft::ConfigChangeType>(type);
  return change;
}

std::string EncodeMembership(const Membership& members) {
  std::string out;
  AppendField(out, 1, members.config_change_id);
  AppendMap(out, 2, members.voters);
  for (const ReplicaId replica : members.removed) {
    std::string pair;
    AppendField(pair, 1, replica.value());
    AppendField(pair, 2, 1);
    AppendField(out, 3, pair);
  }
  AppendMap(out, 4, members.non_votings);
  AppendMap(out, 5, members.witnesses);
  return out;
}

Result<Membership> DecodeMembership(std::string_view bytes) {
  Membership members;
  bool good = true;
  FieldReader fields(bytes);
  while (good && fields.Next()) {
    switch (fields.number()) {
      case 1: members.config_change_id = fields.Varint(); break;
      case 2: good = ReadPair(fields.Bytes(), members.voters); break;
      case 3: good = ReadRemoved(fields.Bytes(), members.removed); break;
      case 4: good = ReadPair(fields.Bytes(), members.non_votings); break;
      case 5: good = ReadPair(fields.Bytes(), members.witnesses); break;
      default: break;
    }
  }
  if (!good || !fields.ok()) return std::unexpected(Bad("a membership"));
  return members;
}

std::string EncodeHardState(const raft::HardState& state) {
  std::string out;
  AppendField(out, 1, state.term.value());
  AppendField(out, 2, state.vote.value());
  AppendField(out, 3, state.commit.value());
  return out;
}

Result<raft::HardState> DecodeHardState(std::string_view bytes) {
  raft::HardState state;
  FieldReader fields(bytes);
  while (fields.Next()) {
    switch (fields.number()) {
      case 1: state.term = Term(fields.Varint()); break;
      case 2: state.vote = ReplicaId(fields.Varint()); break;
      case 3: state.commit = Index(fields.Varint()); break;
      default: break;
    }
  }
  if (!fields.ok()) return std::unexpected(Bad("a hard state"));
  return state;
}

std::string EncodeBootstrap(const Bootstrap& bootstrap) {
  std::string out;
  AppendMap(out, 1, bootstrap.addresses);
  AppendField(out, 2, bootstrap.join ? 1 : 0);
  AppendField(out, 3, bootstrap.state_machine_type);
  return out;
}

Result<Bootstrap> DecodeBootstrap(std::string_view bytes) {
  Bootstrap bootstrap;
  bootstrap.state_machine_type = 0;
  bool good = true;
  FieldReader fields(bytes);
  while (good && fields.Next()) {
    switch (fields.number()) {
      case 1: good = ReadPair(fields.Bytes(), bootstrap.addresses); break;
      case 2: bootstrap.join = fields.Bool(); break;
      case 3: bootstrap.state_machine_type = fields.Varint(); break;
      default: break;
    }
  }
  if (!good || !fields.ok()) return std::unexpected(Bad("a bootstrap record"));
  return bootstrap;
}

std::string EncodeSnapshotRecord(const raft::SnapshotRecord& record, ShardId shard) {
  std::string out;
  AppendField(out, 2, std::string_view());
  AppendField(out, 3, record.image_bytes);
  AppendField(out, 4, record.index.value());
  AppendField(out, 5, record.term.value());
  AppendField(out, 6, EncodeMembership(record.membership));
  AppendField(out, 9, 0);
  AppendField(out, 10, shard.value());
  AppendField(out, 11, 0);
  AppendField(out, 12, 0);
  AppendField(out, 13, record.on_disk_index.value());
  AppendField(out, 14, record.witness ? 1 : 0);
  return out;
}

Result<raft::SnapshotRecord> DecodeSnapshotRecord(std::string_view bytes) {
  raft::SnapshotRecord record;
  FieldReader fields(bytes);
  while (fields.Next()) {
    switch (fields.number()) {
      case 2:
      case 7:
      case 8: fields.Bytes(); break;
      case 3: record.image_bytes = fields.Varint(); break;
      case 4: record.index = Index(fields.Varint()); break;
      case 5: record.term = Term(fields.Varint()); break;
      case 6: {
        Result<Membership> members = DecodeMembership(fields.Bytes());
        if (!members) return std::unexpected(members.error());
        record.membership = std::move(*members);
        break;
      }
      case 9:
      case 10:
      case 11:
      case 12: fields.Varint(); break;
      case 13: record.on_disk_index = Index(fields.Varint()); break;
      case 14: record.witness = fields.Bool(); break;
      default: break;
    }
  }
  if (!fields.ok()) return std::unexpected(Bad("a snapshot record"));
  return record;
}

std::vector<raft::Entry> BootstrapEntries(const MemberMap& founding_members) {
  std::vector<raft::Entry> entries;
  for (const auto& [replica, address] : founding_members) {
    raft::ConfigChange change;
    change.replica = replica;
    change.address = address;
    change.initialize = true;
    raft::Entry entry;
    entry.term = Term(1);
    entry.index = Index(entries.size() + 1);
    entry.type = raft::EntryType::kConfigChange;
    entry.command = base::Bytes::Copy(EncodeConfigChange(change));
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace drumbeat::codec
