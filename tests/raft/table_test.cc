// SPDX-License-Identifier: Apache-2.0
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raft/describe.h"
#include "raft/membership.h"
#include "raft/quorum.h"
#include "raft/script.h"
#include "raft/test_replica.h"

namespace drumbeat::raft::testing {
namespace {

/// A column of answers: "_" is one that has not come.
std::vector<std::string> Answers(const ScriptCommand& command, const std::string& key) {
  return SplitText(command.Option(key), ',');
}

/// `commit matches=12,5,_`: what a quorum of these members has reached.
std::string CommitIndex(const ScriptCommand& command) {
  std::vector<Index> matches;
  for (const std::string& match : Answers(command, "matches")) {
    matches.push_back(match == "_" ? Index{0} : Index(std::stoull(match)));
  }
  return Text(QuorumValue<Index>(matches)) + "\n";
}

/// `vote answers=yes,no,_`: how an election with these answers stands.
std::string Vote(const ScriptCommand& command) {
  const std::vector<std::string> answers = Answers(command, "answers");
  VoteTally tally;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i] == "_") continue;
    tally.Record(ReplicaId(i + 1),
                 answers[i] == "yes" ? raft::Vote::kGranted : raft::Vote::kRejected);
  }
  switch (tally.Result(answers.size())) {
    case VoteResult::kPending: return "open\n";
    case VoteResult::kWon: return "won\n";
    case VoteResult::kLost: return "lost\n";
  }
  return "?\n";
}

std::string Quorum(const ScriptCommand& command) {
  if (command.name == "commit") return CommitIndex(command);
  if (command.name == "vote") return Vote(command);
  throw std::runtime_error("no command " + command.name);
}

/// The rules of membership changes: each accepted one takes effect at the next index.
class Changes {
 public:
  std::string Execute(const ScriptCommand& command) {
    if (command.name == "members") {
      members_ = Members(Numbers(command.Option("voters")), Numbers(command.Option("non_votings")),
                         Numbers(command.Option("witnesses")));
      return Describe(members_) + "\n";
    }
    auto change = DecodeChange(Change(command.name + " " + command.words.at(0)));
    if (!change) throw std::runtime_error("no command " + command.name);
    change->address = command.Option("at", change->address);
    change->config_change_id = command.Number("version", 0);
    const auto order = command.Has("ordered") ? ChangeOrder::kOrdered : ChangeOrder::kAny;
    ++index_;
    if (const auto why = WhyRefused(members_, *change, order)) return "refused: " + *why + "\n";
    raft::Apply(members_, *change, index_);
    return Describe(members_) + " version=" + std::to_string(members_.config_change_id) + "\n";
  }

 private:
  Membership members_;
  Index index_{10};
};

class QuorumTableTest : public ::testing::TestWithParam<std::string> {};

TEST_P(QuorumTableTest, IsAsWritten) { RunScript(ScriptPath("quorum", GetParam()), Quorum); }

INSTANTIATE_TEST_SUITE_P(Text, QuorumTableTest, ::testing::ValuesIn(ScriptNames("quorum")),
                         [](const auto& name) { return name.param; });

class MembershipTableTest : public ::testing::TestWithParam<std::string> {};

TEST_P(MembershipTableTest, IsAsWritten) {
  Changes changes;
  RunScript(ScriptPath("membership", GetParam()),
            [&](const ScriptCommand& command) { return changes.Execute(command); });
}

INSTANTIATE_TEST_SUITE_P(Text, MembershipTableTest, ::testing::ValuesIn(ScriptNames("membership")),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace drumbeat::raft::testing
