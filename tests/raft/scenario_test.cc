// SPDX-License-Identifier: Apache-2.0
#include "raft/scenario.h"

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "raft/describe.h"
#include "raft/script.h"

namespace drumbeat::raft::testing {
namespace {

/// The commands of scenarios; testdata/README.md describes them.
class Commands {
 public:
  std::string Execute(const ScriptCommand& command) {
    const auto found = kCommands.find(command.name);
    if (found == kCommands.end()) throw std::runtime_error("no command " + command.name);
    (this->*found->second)(command);
    std::string transcript = scenario_.TakeTranscript();
    return command.Has("quietly") ? "" : transcript;
  }

 private:
  using Method = void (Commands::*)(const ScriptCommand&);
  static const std::map<std::string, Method> kCommands;

  static std::uint64_t First(const ScriptCommand& c) {
    if (c.words.empty()) throw std::runtime_error("which replica?");
    return std::stoull(c.words.front());
  }

  /// The replicas that a command names, all if it names none.
  std::vector<std::uint64_t> Some(const ScriptCommand& c) const {
    std::vector<std::uint64_t> ids;
    for (const std::string& word : c.words) {
      if (word.front() < '0' || word.front() > '9') continue;
      for (const std::uint64_t id : Numbers(word)) ids.push_back(id);
    }
    return ids.empty() ? scenario_.ids() : ids;
  }

  // -- Making a shard ----------------------------------------------------------------------------

  void Shard(const ScriptCommand& c) {
    options_.check_quorum = c.Option("check_quorum", "on") == "on";
    options_.pre_vote = c.Has("pre_vote");
    options_.quiesce = c.Has("quiesce");
    options_.election_ticks = c.Number("election_ticks", 10);
    options_.max_inflight_messages = c.Number("inflight", 256);
    options_.max_append_bytes = c.Number("append_bytes", 1u << 20);
    if (c.Has("apply_by_hand")) scenario_.set_apply_mode(Scenario::ApplyMode::kByHand);
    if (c.Has("report_by_hand")) scenario_.set_report_mode(Scenario::ReportMode::kByHand);
    const Membership members =
        Members(Numbers(c.Option("voters")), Numbers(c.Option("non_votings")),
                Numbers(c.Option("witnesses")));
    AddAll(members.voters, members, Role::kFollower);
    AddAll(members.non_votings, members, Role::kNonVoting);
    AddAll(members.witnesses, members, Role::kWitness);
    if (c.Has("stopped")) return;
    for (const std::uint64_t id : scenario_.ids()) scenario_.Start(id);
    scenario_.Stabilize(scenario_.ids());
    ApplyAll();
    if (const std::uint64_t leader = c.Number("leader", 0)) Elect(leader);
    scenario_.TakeTranscript();
  }

  void AddAll(const MemberMap& of_kind, const Membership& members, Role role) {
    for (const auto& [id, address] : of_kind) Add(id.value(), members, role);
  }

  TestReplica& Add(std::uint64_t id, const Membership& members, Role role) {
    Options own = options_;
    own.replica = ReplicaId(id);
    own.seed = id;
    own.initial_role = role;
    return scenario_.Add(own, members);
  }

  void ApplyAll() {
    for (const std::uint64_t id : scenario_.ids()) scenario_.Apply(id);
  }

  void Elect(std::uint64_t id) {
    scenario_.Campaign(id);
    for (int i = 0; i < 3; ++i) {
      scenario_.Stabilize(scenario_.ids());
      ApplyAll();
    }
    if (scenario_.at(id).raft().role() != Role::kLeader) throw std::runtime_error("not elected");
  }

  void Join(const ScriptCommand& c) {
    const std::string role = c.Option("as", "voter");
    Add(First(c), Membership{},
        role == "voter"     ? Role::kFollower
        : role == "witness" ? Role::kWitness
                            : Role::kNonVoting);
    scenario_.Start(First(c));
  }

  /// What is on the disk of a stopped replica: founders have one entry for each member before.
  void Disk(const ScriptCommand& c) {
    FakeDisk& disk = scenario_.at(First(c)).disk();
    for (const std::uint64_t term : Numbers(c.Option("terms"))) {
      const std::string at = std::to_string(term) + "." + std::to_string(disk.last().value() + 1);
      Entry entry = Command(at);
      entry.term = Term(term);
      disk.Append(entry);
    }
    HardState state = disk.hard_state();
    state.term = Term(c.Number("term", state.term.value()));
    state.vote = ReplicaId(c.Number("vote", state.vote.value()));
    state.commit = Index(c.Number("commit", state.commit.value()));
    disk.set_hard_state(state);
  }

  void Start(const ScriptCommand& c) {
    for (const std::uint64_t id : Some(c)) scenario_.Start(id);
  }
  void Crash(const ScriptCommand& c) {
    for (const std::uint64_t id : Some(c)) scenario_.Crash(id);
  }

  // -- What clients and the clock do -------------------------------------------------------------

  void TickAll(const ScriptCommand& c) {
    for (const std::uint64_t id : Some(c)) {
      if (scenario_.at(id).running()) scenario_.Tick(id);
    }
  }
  void Tick(const ScriptCommand& c) {
    for (std::uint64_t i = c.Number("times", 1); i > 0; --i) TickAll(c);
  }
  /// Time in which everything works: each tick is followed by all that comes of it.
  void Pass(const ScriptCommand& c) {
    for (std::uint64_t i = c.Number("ticks", 1); i > 0; --i) {
      TickAll(c);
      scenario_.Stabilize(Some(c));
    }
  }
  void Campaign(const ScriptCommand& c) { scenario_.Campaign(First(c)); }
  void Propose(const ScriptCommand& c) {
    std::vector<Entry> entries;
    for (std::size_t i = 1; i < c.words.size(); ++i) {
      if (c.words[i] != "quietly") entries.push_back(Command(c.words[i], next_key_++));
    }
    scenario_.Input(First(c), [&](Raft& raft) { raft.Propose(std::move(entries)); });
  }
  void ChangeMembers(const ScriptCommand& c) {
    const std::string text = c.words.at(1) + " " + c.words.at(2);
    scenario_.Input(First(c), [&](Raft& raft) { raft.Propose({Change(text)}); });
  }
  void Read(const ScriptCommand& c) {
    const ReadContext context{.low = std::stoull(c.words.at(1)), .high = 1};
    scenario_.Input(First(c), [&](Raft& raft) { raft.ReadIndex(context); });
  }
  void Transfer(const ScriptCommand& c) {
    const ReplicaId to(c.Number("to", 0));
    scenario_.Input(First(c), [&](Raft& raft) { raft.TransferLeadership(to); });
  }
  void Unreachable(const ScriptCommand& c) {
    const ReplicaId to(std::stoull(c.words.at(1)));
    scenario_.Input(First(c), [&](Raft& raft) { raft.Unreachable(to); });
  }
  void Report(const ScriptCommand& c) {
    const ReplicaId to(c.Number("to", 0));
    scenario_.Input(First(c), [&](Raft& raft) { raft.SnapshotStatus(to, c.Has("failed")); });
  }
  void Snapshot(const ScriptCommand& c) { scenario_.TakeSnapshot(First(c), c.Number("keep", 0)); }

  // -- What hosts do -----------------------------------------------------------------------------

  void Run(const ScriptCommand& c) {
    for (const std::uint64_t id : Some(c)) scenario_.Run(id);
  }
  void Take(const ScriptCommand& c) { scenario_.Take(First(c)); }
  void Save(const ScriptCommand& c) { scenario_.Save(First(c)); }
  void Apply(const ScriptCommand& c) {
    scenario_.Apply(First(c), c.Number("entries", ~std::uint64_t{0}));
  }
  void Stabilize(const ScriptCommand& c) { scenario_.Stabilize(Some(c)); }

  // -- The network -------------------------------------------------------------------------------

  /// "1->2", "1->", "->2" and kinds of messages: those that match all words, but not the first
  /// `skip` of them.
  static Scenario::Filter Chosen(const ScriptCommand& c) {
    return [&c, skip = c.Number("skip", 0)](const Envelope& message) mutable {
      for (const std::string& word : c.words) {
        const std::size_t arrow = word.find("->");
        if (word == "quietly" || word == "twice") continue;
        if (arrow == std::string::npos) {
          if (word != KindOf(message.message)) return false;
          continue;
        }
        const std::string from = word.substr(0, arrow);
        const std::string to = word.substr(arrow + 2);
        if (!from.empty() && from != Text(message.from)) return false;
        if (!to.empty() && to != Text(message.to)) return false;
      }
      if (skip == 0) return true;
      --skip;
      return false;
    };
  }
  void Deliver(const ScriptCommand& c) {
    const auto copies = c.Has("twice") ? Scenario::Copies::kTwo : Scenario::Copies::kOne;
    if (scenario_.Deliver(Chosen(c), c.Number("count", ~std::uint64_t{0}), copies) == 0) {
      scenario_.Write("nothing to deliver");
    }
  }
  void Lose(const ScriptCommand& c) {
    scenario_.Write(
        std::to_string(scenario_.Lose(Chosen(c), c.Number("count", ~std::uint64_t{0}))) + " lost");
  }
  void Network(const ScriptCommand&) {
    for (const Envelope& message : scenario_.network()) scenario_.Write(Describe(message));
  }
  /// "1,2 | 3": nothing passes between the two sides. "1->3": nothing passes in that direction.
  void Partition(const ScriptCommand& c) {
    const std::size_t arrow = c.words.at(0).find("->");
    if (arrow != std::string::npos) {
      return scenario_.Cut(std::stoull(c.words[0]), std::stoull(c.words[0].substr(arrow + 2)));
    }
    for (const std::uint64_t a : Numbers(c.words.at(0))) {
      for (const std::uint64_t b : Numbers(c.words.at(2))) {
        scenario_.Cut(a, b);
        scenario_.Cut(b, a);
      }
    }
  }
  void Heal(const ScriptCommand&) { scenario_.Heal(); }

  // -- Looking -----------------------------------------------------------------------------------

  void ShowStatus(const ScriptCommand& c) {
    for (const std::uint64_t id : Some(c)) {
      TestReplica& replica = scenario_.at(id);
      if (!replica.running()) {
        scenario_.Write(std::to_string(id) + ": down");
        continue;
      }
      const Status s = replica.raft().status();
      scenario_.Write(std::to_string(id) + ": " + std::string(NameOf(s.role)) + ", term " +
                      Text(s.term) + ", log to " + Text(s.last_index) +
                      (s.saved < s.last_index ? ", saved to " + Text(s.saved) : "") +
                      ", committed " + Text(s.committed) + ", applied " + Text(s.applied) +
                      (s.transfer_target ? ", hands over to " + Text(s.transfer_target) : "") +
                      (s.quiesced ? ", asleep" : ""));
      if (c.Has("briefly")) continue;
      for (const MemberStatus& m : s.members) {
        if (m.replica.value() == id) continue;
        scenario_.Write("  " + Text(m.replica) + ": " + std::string(NameOf(m.progress)) +
                        ", match " + Text(m.match) + ", next " + Text(m.next) +
                        (m.active ? "" : ", silent"));
      }
    }
  }
  void ShowLog(const ScriptCommand& c) {
    for (const std::uint64_t id : Some(c)) {
      const FakeDisk& disk = scenario_.at(id).disk();
      std::string terms;
      for (Index i = disk.first(); i <= disk.last(); ++i) {
        terms += " " + Text(disk.TermAt(i)->value());
      }
      scenario_.Write(std::to_string(id) + ": from " + Text(disk.first()) + ", terms" + terms);
    }
  }
  void ShowMachine(const ScriptCommand& c) {
    for (const std::uint64_t id : Some(c)) {
      std::string texts;
      for (const std::string& text : scenario_.at(id).history()) {
        texts += (texts.empty() ? "" : ", ") + text;
      }
      scenario_.Write(std::to_string(id) + ": " + texts);
    }
  }
  void ShowMembers(const ScriptCommand& c) {
    for (const std::uint64_t id : Some(c)) {
      scenario_.Write(std::to_string(id) + ": " + Describe(scenario_.at(id).members()));
    }
  }

  Scenario scenario_;
  Options options_;
  std::uint64_t next_key_ = 1;
};

const std::map<std::string, Commands::Method> Commands::kCommands = {
    {"apply", &Commands::Apply},
    {"campaign", &Commands::Campaign},
    {"change", &Commands::ChangeMembers},
    {"crash", &Commands::Crash},
    {"deliver", &Commands::Deliver},
    {"disk", &Commands::Disk},
    {"heal", &Commands::Heal},
    {"join", &Commands::Join},
    {"log", &Commands::ShowLog},
    {"lose", &Commands::Lose},
    {"machine", &Commands::ShowMachine},
    {"members", &Commands::ShowMembers},
    {"network", &Commands::Network},
    {"partition", &Commands::Partition},
    {"pass", &Commands::Pass},
    {"propose", &Commands::Propose},
    {"read", &Commands::Read},
    {"report", &Commands::Report},
    {"run", &Commands::Run},
    {"save", &Commands::Save},
    {"shard", &Commands::Shard},
    {"snapshot", &Commands::Snapshot},
    {"stabilize", &Commands::Stabilize},
    {"start", &Commands::Start},
    {"status", &Commands::ShowStatus},
    {"take", &Commands::Take},
    {"tick", &Commands::Tick},
    {"transfer", &Commands::Transfer},
    {"unreachable", &Commands::Unreachable},
};

class ScenarioTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ScenarioTest, HappensAsWritten) {
  Commands commands;
  RunScript(ScriptPath("scenarios", GetParam()),
            [&](const ScriptCommand& command) { return commands.Execute(command); });
}

INSTANTIATE_TEST_SUITE_P(Text, ScenarioTest, ::testing::ValuesIn(ScriptNames("scenarios")),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace drumbeat::raft::testing
