// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "raft/raft.h"

namespace drumbeat::raft::testing {

// Short texts for transcripts. A position in a log reads term/index.

std::string_view NameOf(Role role);
std::string_view NameOf(Progress progress);
std::string_view NameOf(DropReason reason);
/// "AppendEntries", "VoteReply", ...
std::string_view KindOf(const Message& message);

std::string Text(auto id) { return std::to_string(id.value()); }
std::string Position(Term term, Index index);
/// 2/5 "a"; 2/4 empty; 2/6 change "remove 3"; 2/7 metadata.
std::string Describe(const Entry& entry);
std::string Describe(const std::vector<Entry>& entries);
/// 1->2 AppendEntries term=2 log=2/4 commit=4 entries=[2/5 "a"]
std::string Describe(const Envelope& envelope);
std::string Describe(const Membership& members);

}  // namespace drumbeat::raft::testing
