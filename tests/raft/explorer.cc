// SPDX-License-Identifier: Apache-2.0
#include "raft/explorer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <type_traits>

#include "base/check.h"
#include "raft/describe.h"
#include "raft/quorum.h"
#include "raft/safety_checker.h"

namespace drumbeat::raft::testing {
namespace {

using Kind = ExploredInput::Kind;

std::string Name(std::size_t replica) { return "replica " + std::to_string(replica + 1); }

LogWord WordAt(const std::vector<LogWord>& log, std::size_t index) {
  return index >= 1 && index <= log.size() ? log[index - 1] : 0;
}

}  // namespace

// -- Hashes ---------------------------------------------------------------------------------------

bool HashSet::Insert(std::uint64_t hash) {
  if (hash == 0) hash = 1;
  if (2 * size_ >= slots_.size()) Grow();
  for (std::size_t i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i] == hash) return false;
    if (slots_[i] != 0) continue;
    slots_[i] = hash;
    ++size_;
    return true;
  }
}

void HashSet::Grow() {
  std::vector<std::uint64_t> old(2 * slots_.size());
  old.swap(slots_);
  size_ = 0;
  for (const std::uint64_t hash : old) {
    if (hash != 0) Insert(hash);
  }
}

// -- The search -----------------------------------------------------------------------------------

Explorer::Explorer(const ExploredSetup& setup, std::uint64_t replicas, const ExploredBounds& bounds)
    : setup_(setup), replicas_(replicas), bounds_(bounds), table_(setup_, replicas) {
  DRUMBEAT_CHECK(replicas <= kMaxReplicas, "room for the replicas");
  DRUMBEAT_CHECK(bounds.elections + bounds.transfers + 2u < kMaxTerms, "room for the terms");
}

Explorer::World Explorer::Start() {
  World world;
  for (std::size_t i = 0; i < replicas_; ++i) world.replicas[i] = table_.first(i);
  world.left = bounds_;
  CheckApplied(world, table_.view(world.replicas[0]));
  return world;
}

ExploredResult Explorer::Run(std::uint64_t max_states) {
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const World start = Start();
  const std::string bytes = Encode(start);
  seen_.Insert(std::hash<std::string>{}(bytes));
  origins_.push_back({});
  open_.emplace_back(0, bytes);
  while (!open_.empty() && result_.violation.empty() && seen_.size() < max_states) {
    const auto [number, encoded] = std::move(open_.front());
    open_.pop_front();
    Expand(number, Decode(encoded));
  }
  result_.complete = open_.empty() && result_.violation.empty();
  result_.states = seen_.size();
  result_.replica_states = table_.states();
  result_.messages = table_.messages();
  for (std::uint32_t i = static_cast<std::uint32_t>(origins_.size()) - 1; i != 0;
       i = origins_[i].state) {
    ++result_.longest;
  }
  result_.seconds = seconds();
  return result_;
}

void Explorer::Expand(std::uint32_t number, const World& world) {
  for (std::uint8_t i = 0; i < replicas_; ++i) ExpandReplica(number, world, i);
  std::uint32_t last = ~0u;
  for (const std::uint32_t message : world.messages) {
    if (message == last) continue;
    last = message;
    const auto to = static_cast<std::uint8_t>(table_.message(message).to.value() - 1);
    Try(number, world, {.kind = Kind::kDeliver, .replica = to, .argument = message});
    if (world.left.doubles > 0) {
      Try(number, world, {.kind = Kind::kDouble, .replica = to, .argument = message});
    }
  }
}

void Explorer::ExpandReplica(std::uint32_t number, const World& world, std::uint8_t replica) {
  const ExploredView& view = table_.view(world.replicas[replica]);
  const bool leads = view.role == Role::kLeader;
  const auto attempt = [&](Kind kind, std::uint32_t argument = 0) {
    Try(number, world, {.kind = kind, .replica = replica, .argument = argument});
  };
  if (MayTick(world, replica)) attempt(Kind::kTick);
  if (leads && world.left.proposals > 0) {
    attempt(Kind::kPropose, 1u + bounds_.proposals - world.left.proposals);
  }
  if (view.leader && world.left.reads > 0) {
    attempt(Kind::kRead, 1u + bounds_.reads - world.left.reads);
  }
  if (leads && world.left.transfers > 0) {
    for (std::uint32_t to = 0; to < replicas_; ++to) {
      if (to != replica) attempt(Kind::kTransfer, to);
    }
  }
  if (view.saving) attempt(Kind::kSave);
  if (view.has_to_apply) attempt(Kind::kApply);
  if (world.left.crashes > 0) {
    attempt(Kind::kCrash);
    if (view.saving) attempt(Kind::kCrashWritten);
  }
}

// All replicas are alike at the start, so the first one to campaign may be replica 1.
bool Explorer::MayTick(const World& world, std::uint8_t replica) const {
  if (table_.view(world.replicas[replica]).role == Role::kLeader) return world.left.heartbeats > 0;
  if (world.left.elections == 0) return false;
  return replica == 0 || world.left.elections < bounds_.elections;
}

void Explorer::Try(std::uint32_t number, const World& world, const ExploredInput& input) {
  if (!result_.violation.empty()) return;
  ++result_.steps;
  try {
    const std::optional<World> next = After(world, input);
    if (!next) return;
    std::string bytes = Encode(*next);
    if (!seen_.Insert(std::hash<std::string>{}(bytes))) return;
    origins_.push_back({.state = number, .input = Pack(input)});
    open_.emplace_back(static_cast<std::uint32_t>(origins_.size() - 1), std::move(bytes));
  } catch (const Violation& broken) {
    result_.violation = std::string(broken.what()) + "\n" + Story(number, input);
  }
}

std::optional<Explorer::World> Explorer::After(const World& world, const ExploredInput& input) {
  const std::uint32_t state = world.replicas[input.replica];
  const ExploredStep& step = table_.Step(state, input);
  if (!step.error.empty()) throw Violation(step.error);
  if (step.state == state && step.sent.empty() && step.reads.empty()) return std::nullopt;
  World next = world;
  next.replicas[input.replica] = step.state;
  Spend(next, input);
  for (const std::uint32_t message : step.sent) {
    CheckSent(next, input.replica, table_.message(message));
    if (table_.message(message).to.value() > replicas_) continue;
    next.messages.insert(std::ranges::lower_bound(next.messages, message), message);
  }
  std::erase_if(next.messages, [&](std::uint32_t message) { return IsDead(next, message); });
  const ExploredView& before = table_.view(state);
  const ExploredView& now = table_.view(step.state);
  const bool all = setup_.checks == ExploredChecks::kAll;
  if (all) CheckProgress(next, input, before, now);
  CheckApplied(next, now);
  CheckLogsMatch(next, input.replica, now);
  if (now.role == Role::kLeader) {
    CheckLeader(next, input.replica, now);
    if (all && now.committed > before.committed) CheckCommitOnQuorum(next, now);
  }
  for (const auto& [read, index] : step.reads) {
    if (index.value() < next.past.read_floors[read])
      throw Violation("a read is answered too early");
  }
  return next;
}

// Whether a message can have no effect any more, whatever comes. An answer is for whoever asked in
// that term: a candidate that is none any more, or a leader that is none, will not be one in that
// term again, as its term was saved before it asked. A vote request or a mere term that is not
// above what the receiver has saved tells it nothing new.
bool Explorer::IsDead(const World& world, std::uint32_t number) const {
  const Envelope& message = table_.message(number);
  const ExploredView& to = table_.view(world.replicas[message.to.value() - 1]);
  const Message& what = message.message;
  const auto still = [&](Role role) { return to.role == role && to.term == message.term; };
  if (std::holds_alternative<VoteReply>(what)) return !still(Role::kCandidate);
  if (std::holds_alternative<AppendReply>(what) || std::holds_alternative<HeartbeatReply>(what)) {
    return !still(Role::kLeader);
  }
  if (std::holds_alternative<RequestVote>(what)) {
    return message.term < to.durable_state.term && to.leader;
  }
  if (std::holds_alternative<NoOp>(what)) return message.term <= to.durable_state.term;
  return false;
}

void Explorer::Spend(World& world, const ExploredInput& input) {
  switch (input.kind) {
    case Kind::kTick: {
      const bool led = table_.view(world.replicas[input.replica]).role == Role::kLeader;
      --(led ? world.left.heartbeats : world.left.elections);
      break;
    }
    case Kind::kPropose: --world.left.proposals; break;
    case Kind::kRead:
      world.past.read_floors[input.argument] = static_cast<std::uint8_t>(world.applied.size());
      --world.left.reads;
      break;
    case Kind::kTransfer: --world.left.transfers; break;
    case Kind::kDouble: --world.left.doubles; break;
    case Kind::kDeliver:
      world.messages.erase(std::ranges::lower_bound(world.messages, input.argument));
      break;
    case Kind::kCrash:
    case Kind::kCrashWritten: --world.left.crashes; break;
    case Kind::kSave:
    case Kind::kApply: break;
  }
}

// -- What must hold -------------------------------------------------------------------------------

void Explorer::CheckSent(World& world, std::uint8_t replica, const Envelope& message) const {
  const bool asks = std::holds_alternative<RequestPreVote>(message.message) ||
                    std::holds_alternative<PreVoteReply>(message.message);
  if (asks || !message.term) return;
  const std::size_t term = message.term.value();
  DRUMBEAT_CHECK(term < kMaxTerms, "terms are bounded by the elections");
  std::uint8_t& spoken = world.past.spoken[replica];
  spoken = std::max(spoken, static_cast<std::uint8_t>(term));
  const auto* reply = std::get_if<VoteReply>(&message.message);
  const bool stands = std::holds_alternative<RequestVote>(message.message);
  if (!stands && (reply == nullptr || reply->rejected)) return;
  const auto choice = static_cast<std::uint8_t>(stands ? replica + 1u : message.to.value());
  std::uint8_t& vote = world.past.votes[replica][term];
  if (setup_.checks == ExploredChecks::kAll && vote != 0 && vote != choice) {
    throw Violation(Name(replica) + " votes twice in term " + std::to_string(term));
  }
  vote = choice;
}

void Explorer::CheckProgress(const World& world, const ExploredInput& input,
                             const ExploredView& before, const ExploredView& now) const {
  const bool crashed = input.kind == Kind::kCrash || input.kind == Kind::kCrashWritten;
  if (!crashed && now.committed < before.committed) throw Violation("a commit index falls");
  if (!crashed && now.term < before.term) throw Violation("a term falls");
  if (crashed && now.term.value() < world.past.spoken[input.replica]) {
    throw Violation(Name(input.replica) + " forgets a term that it has spoken in");
  }
  if (now.durable_state.commit.value() > now.durable_log.size()) {
    throw Violation("a stored commit index is beyond the log");
  }
}

void Explorer::CheckApplied(World& world, const ExploredView& now) const {
  if (now.applied.size() > now.durable_log.size()) throw Violation("applied before it is durable");
  for (std::size_t i = 0; i < now.applied.size(); ++i) {
    if (i == world.applied.size()) {
      world.applied.push_back(
          {.word = now.applied[i], .seen_in = static_cast<std::uint32_t>(now.term.value())});
    }
    if (world.applied[i].word != now.applied[i]) {
      throw Violation("index " + std::to_string(i + 1) + " is applied with two contents");
    }
  }
}

void Explorer::CheckLeader(World& world, std::uint8_t replica, const ExploredView& now) const {
  const std::size_t term = now.term.value();
  std::uint8_t& leader = world.past.leaders[term];
  if (leader != 0 && leader != replica + 1) {
    throw Violation("term " + std::to_string(term) + " has two leaders");
  }
  leader = static_cast<std::uint8_t>(replica + 1);
  for (std::size_t i = 0; i < world.applied.size(); ++i) {
    const Applied& applied = world.applied[i];
    if (applied.seen_in < term && WordAt(now.durable_log, i + 1) != applied.word) {
      throw Violation("the leader of term " + std::to_string(term) + " lacks committed entry " +
                      std::to_string(i + 1));
    }
  }
}

void Explorer::CheckCommitOnQuorum(const World& world, const ExploredView& now) const {
  const std::size_t index = now.committed.value();
  std::size_t durable = 0;
  for (const std::uint8_t voter : now.voters) {
    if (voter >= replicas_) continue;
    const ExploredView& view = table_.view(world.replicas[voter]);
    durable += TermOf(WordAt(view.durable_log, index)) == now.term.value();
  }
  if (durable < QuorumSize(now.voters.size())) {
    throw Violation("index " + std::to_string(index) + " is committed on " +
                    std::to_string(durable) + " of " + std::to_string(now.voters.size()) +
                    " disks");
  }
}

void Explorer::CheckLogsMatch(const World& world, std::uint8_t replica,
                              const ExploredView& now) const {
  for (std::uint8_t other = 0; other < replicas_; ++other) {
    if (other == replica) continue;
    const std::vector<LogWord>& log = table_.view(world.replicas[other]).durable_log;
    bool match = false;
    for (std::size_t i = std::min(log.size(), now.durable_log.size()); i > 0; --i) {
      const LogWord a = log[i - 1];
      const LogWord b = now.durable_log[i - 1];
      match = match || TermOf(a) == TermOf(b);
      if (match && a != b) {
        throw Violation("the logs of " + Name(replica) + " and " + Name(other) +
                        " agree on a later entry but not on " + std::to_string(i));
      }
    }
  }
}

// -- Storing and telling --------------------------------------------------------------------------

std::string Explorer::Encode(const World& world) {
  static_assert(std::has_unique_object_representations_v<Past> &&
                std::has_unique_object_representations_v<ExploredBounds> &&
                std::has_unique_object_representations_v<Applied>);
  std::string bytes;
  const auto put = [&](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
  };
  const auto applied = static_cast<std::uint32_t>(world.applied.size());
  put(&world.replicas, sizeof(world.replicas));
  put(&world.left, sizeof(world.left));
  put(&world.past, sizeof(world.past));
  put(&applied, sizeof(applied));
  put(world.applied.data(), applied * sizeof(Applied));
  put(world.messages.data(), world.messages.size() * sizeof(std::uint32_t));
  return bytes;
}

Explorer::World Explorer::Decode(const std::string& bytes) {
  World world;
  const char* from = bytes.data();
  const auto take = [&](void* data, std::size_t size) {
    if (size > 0) std::memcpy(data, from, size);
    from += size;
  };
  std::uint32_t applied = 0;
  take(&world.replicas, sizeof(world.replicas));
  take(&world.left, sizeof(world.left));
  take(&world.past, sizeof(world.past));
  take(&applied, sizeof(applied));
  world.applied.resize(applied);
  take(world.applied.data(), applied * sizeof(Applied));
  const auto rest = static_cast<std::size_t>(bytes.data() + bytes.size() - from);
  world.messages.resize(rest / sizeof(std::uint32_t));
  take(world.messages.data(), rest);
  return world;
}

std::uint32_t Explorer::Pack(const ExploredInput& input) {
  DRUMBEAT_CHECK(input.argument < 1u << 24, "room for the argument");
  return static_cast<std::uint32_t>(input.kind) << 28 | std::uint32_t{input.replica} << 24 |
         input.argument;
}

ExploredInput Explorer::Unpack(std::uint32_t packed) {
  return {.kind = static_cast<Kind>(packed >> 28),
          .replica = static_cast<std::uint8_t>(packed >> 24 & 15),
          .argument = packed & 0xffffff};
}

std::string Explorer::Describe(const ExploredInput& input) const {
  const std::string who = Name(input.replica);
  const auto text = [&] { return testing::Describe(table_.message(input.argument)); };
  switch (input.kind) {
    case Kind::kTick: return who + " ticks";
    case Kind::kPropose: return who + " proposes " + setup_.proposals[input.argument - 1];
    case Kind::kRead: return who + " begins read " + std::to_string(input.argument);
    case Kind::kTransfer: return who + " hands over to " + Name(input.argument);
    case Kind::kDeliver: return "arrives: " + text();
    case Kind::kDouble: return "arrives, and will again: " + text();
    case Kind::kSave: return who + " has saved";
    case Kind::kApply: return who + " applies";
    case Kind::kCrash: return who + " crashes; what it was saving is lost";
    case Kind::kCrashWritten: return who + " crashes; what it was saving is written";
  }
  return "?";
}

std::string Explorer::Story(std::uint32_t number, const ExploredInput& last) const {
  std::vector<ExploredInput> inputs{last};
  for (; number != 0; number = origins_[number].state) {
    inputs.push_back(Unpack(origins_[number].input));
  }
  std::string story;
  for (std::size_t i = inputs.size(); i > 0; --i) {
    story += "  " + std::to_string(inputs.size() - i + 1) + ". " + Describe(inputs[i - 1]) + "\n";
  }
  return story;
}

}  // namespace drumbeat::raft::testing
