// SPDX-License-Identifier: Apache-2.0
#include "system/cluster.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

namespace drumbeat::system {
namespace {

constexpr std::string_view kRecovered = "recovered from snapshot";
// What is answered to a line that was not done, for want of a leader.
constexpr std::string_view kRefused = "failed to get a proposal session, timeout";
constexpr std::string_view kBecameLeader = "became leader in term ";

// The term and time of a replica's last "became leader", if it has said so.
struct Leadership {
  std::uint64_t term = 0;
  Clock::time_point time;
};

Leadership LastLeadership(const Capture& log) {
  Leadership last;
  for (const Line& line : log.Lines()) {
    const std::size_t at = line.text.find(kBecameLeader);
    if (at == std::string::npos) continue;
    last.term = std::strtoull(line.text.c_str() + at + kBecameLeader.size(), nullptr, 10);
    last.time = line.time;
  }
  return last;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "drumbeat-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), pattern);
  }
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Cluster::~Cluster() {
  for (const int replica : Running()) Retire(replica);
  CheckHistory();
}

ProgramOptions Cluster::Options(int replica, std::vector<std::string> flags) const {
  flags.insert(flags.begin(), {"-replicaid", std::to_string(replica)});
  ProgramOptions options;
  options.executable = ExampleProgram();
  options.arguments = std::move(flags);
  options.directory = directory();
  options.console = console_;
  return options;
}

Program& Cluster::Start(int replica, std::vector<std::string> flags) {
  return Start(replica, Options(replica, std::move(flags)));
}

Program& Cluster::Start(int replica, ProgramOptions options) {
  std::unique_ptr<Program>& program = programs_[replica];
  EXPECT_EQ(program, nullptr) << "replica " << replica << " runs already";
  program = std::make_unique<Program>(options);
  return *program;
}

Program& Cluster::Join(int replica, const std::string& address) {
  return Start(replica, {"-addr", address, "-join"});
}

void Cluster::StartFounders() {
  for (const int replica : kFounders) Start(replica);
}

void Cluster::StartAndAwaitLeader() {
  StartFounders();
  Say(1, "the first message");
}

std::vector<int> Cluster::Running() const {
  std::vector<int> running;
  for (const auto& [replica, program] : programs_) running.push_back(replica);
  return running;
}

void Cluster::Stop(int replica) {
  if (console_ == Console::kTerminal) {
    this->replica(replica).PressCtrlC();
  } else {
    this->replica(replica).Signal(SIGINT);
  }
  const Ending ending = AwaitEnd(replica);
  EXPECT_EQ(ending.status, 128 + SIGINT) << "replica " << replica;
  EXPECT_TRUE(ending.by_signal) << "replica " << replica;
}

void Cluster::StopAll() {
  for (const int replica : Running()) Stop(replica);
}

void Cluster::Kill(int replica) {
  this->replica(replica).Signal(SIGKILL);
  AwaitEnd(replica);
}

Ending Cluster::AwaitEnd(int replica) {
  const auto ending = this->replica(replica).AwaitEnd(std::chrono::seconds(10));
  EXPECT_TRUE(ending) << "replica " << replica << " still runs";
  Retire(replica);
  return ending.value_or(Ending{});
}

void Cluster::Retire(int replica) {
  const auto program = programs_.extract(replica);
  program.mapped()->Signal(SIGKILL);
  program.mapped()->ReadOutput();
  program.mapped()->AwaitEnd(kLongWait);
  ended_.push_back(ReadRun(replica, *program.mapped()));
}

std::optional<std::uint64_t> Cluster::AwaitUpdate(int replica, const std::string& message,
                                                  std::chrono::milliseconds limit) {
  const auto is_update = [&](const std::string& line) {
    const auto update = ParseUpdate(line);
    return update && update->message == message;
  };
  const auto line = this->replica(replica).out().Await(is_update, limit);
  if (!line) return std::nullopt;
  return ParseUpdate(line->text)->count;
}

std::optional<std::uint64_t> Cluster::Say(int typed, const std::string& message,
                                          std::vector<int> seen, std::chrono::milliseconds limit) {
  if (seen.empty()) seen = Running();
  const auto deadline = Clock::now() + limit;
  TypeUntilTaken(typed, message, seen.front(), deadline);
  std::optional<std::uint64_t> result;
  for (const int reader : seen) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    const auto count = AwaitUpdate(reader, message, std::max(left, std::chrono::milliseconds(0)));
    if (!count) {
      ADD_FAILURE() << "replica " << reader << " does not print '" << message << "' typed at "
                    << typed << "; its stdout:\n"
                    << replica(reader).out().Tail() << "its stderr:\n"
                    << replica(reader).err().Tail() << "the stdout of replica " << typed << ":\n"
                    << replica(typed).out().Tail() << "its stderr:\n"
                    << replica(typed).err().Tail();
      return std::nullopt;
    }
    EXPECT_EQ(result.value_or(*count), *count) << "'" << message << "' at replica " << reader;
    result = count;
  }
  return result;
}

void Cluster::TypeUntilTaken(int typed, const std::string& message, int seen,
                             Clock::time_point deadline) {
  Program& program = replica(typed);
  while (true) {
    const std::size_t mark = program.err().Mark();
    program.Type(message);
    while (!program.err().Contains(kRefused, mark)) {
      if (AwaitUpdate(seen, message, std::chrono::milliseconds(50))) return;
      if (Clock::now() >= deadline) return;
    }
  }
}

void Cluster::SayMany(int typed, const std::string& prefix, int count) {
  for (int i = 1; i <= count; ++i) {
    if (!Say(typed, prefix + std::to_string(i))) return;
  }
}

void Cluster::Change(int typed, const std::string& command) {
  const Capture& out = replica(typed).out();
  const std::size_t mark = out.Mark();
  replica(typed).Type(command);
  EXPECT_TRUE(out.Await("membership change completed successfully", kLongWait, mark))
      << "'" << command << "' typed at replica " << typed << "; its stderr:\n"
      << replica(typed).err().Tail();
}

int Cluster::Leader() const {
  int leader = 0;
  Leadership newest;
  for (const auto& [replica, program] : programs_) {
    const Leadership last = LastLeadership(program->err());
    if (last.term <= newest.term) continue;
    newest = last;
    leader = replica;
  }
  return leader;
}

Run Cluster::ReadRun(int replica, const Program& program) {
  Run run{.replica = static_cast<std::uint64_t>(replica), .updates = {}, .recoveries = 0};
  for (const Line& line : program.out().Lines()) {
    if (auto update = ParseUpdate(line.text)) run.updates.push_back(std::move(*update));
  }
  run.recoveries = program.err().Count(kRecovered);
  return run;
}

History Cluster::GetHistory() const {
  History history;
  for (const Run& run : ended_) history.Add(run);
  for (const auto& [replica, program] : programs_) history.Add(ReadRun(replica, *program));
  return history;
}

void Cluster::StartOver() {
  EXPECT_TRUE(programs_.empty());
  std::filesystem::remove_all(data());
  ended_.clear();
}

void Cluster::CheckHistory() const {
  const History history = GetHistory();
  for (const std::string& problem : history.problems()) ADD_FAILURE() << problem;
}

}  // namespace drumbeat::system
