// SPDX-License-Identifier: Apache-2.0
#include "raft/membership.h"

#include <set>
#include <string>

#include "codec/command.h"
#include "codec/records.h"
#include "fuzz/input.h"
#include "fuzz/properties.h"
#include "fuzz/targets.h"

namespace drumbeat::fuzz {
namespace {

raft::ConfigChange NextChange(Input& input, const Membership& members) {
  if (input.OneIn(8)) {
    const auto decoded = codec::DecodeConfigChange(input.Text());
    if (decoded) return *decoded;
  }
  raft::ConfigChange change;
  change.type = static_cast<raft::ConfigChangeType>(input.Below(4));
  change.replica = ReplicaId(input.Below(6));
  const std::uint8_t address = input.Byte();
  change.address =
      address < 200 ? "host" + std::to_string(address % 6) + ":1" : std::string(input.Text());
  change.config_change_id = input.Bool() ? members.config_change_id : std::uint64_t{input.Byte()};
  change.initialize = input.OneIn(4);
  return change;
}

/// What holds of every membership that the rules have led to.
std::string WhatIsWrong(const Membership& before, const Membership& after) {
  std::set<ReplicaId> seen;
  for (const MemberMap* of_kind : {&after.voters, &after.non_votings, &after.witnesses}) {
    for (const auto& [id, address] : *of_kind) {
      if (!seen.insert(id).second) return "a member is of one kind";
      if (after.removed.contains(id)) return "who was removed does not come back";
      if (!raft::IsMember(after, id)) return "a member is a member";
    }
  }
  for (const ReplicaId id : before.removed) {
    if (!after.removed.contains(id)) return "a removal is for ever";
  }
  if (!before.voters.empty() && after.voters.empty()) return "the last voter stays";
  if (after.voters.size() > before.voters.size() + 1 ||
      after.voters.size() + 1 < before.voters.size()) {
    return "voters change one at a time";
  }
  if (after.config_change_id <= before.config_change_id) return "each change has a later number";
  const auto again = codec::DecodeMembership(codec::EncodeMembership(after));
  return again && *again == after ? std::string() : "a membership comes back";
}

std::string CheckChanges(Input& input) {
  const auto order = input.Bool() ? raft::ChangeOrder::kOrdered : raft::ChangeOrder::kAny;
  Membership members;
  for (std::uint64_t index = 1; index < 300 && !input.empty(); ++index) {
    const raft::ConfigChange change = NextChange(input, members);
    if (raft::WhyRefused(members, change, order)) continue;
    const Membership before = members;
    raft::Apply(members, change, Index(index));
    if (std::string wrong = WhatIsWrong(before, members); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

std::string FuzzMembership(std::string_view bytes) {
  if (std::string wrong = CheckConfigChange(bytes); !wrong.empty()) return wrong;
  if (std::string wrong = CheckRecords(bytes); !wrong.empty()) return wrong;
  raft::Entry entry;
  entry.type = raft::EntryType::kConfigChange;
  entry.command = base::Bytes::Copy(bytes);
  if (!codec::WhyEntryUnfit(entry) && !codec::DecodeConfigChange(bytes)) {
    return "a change that is fit can be decoded";
  }
  Input input(bytes);
  return CheckChanges(input);
}

}  // namespace drumbeat::fuzz
