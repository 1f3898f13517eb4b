// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "system/history.h"
#include "system/program.h"

namespace drumbeat::system {

/// A folder of its own below the temporary folder, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The three replicas of the tutorial, and those that join them, in one working directory.
///
/// Expectations that fail are reported as Google Test failures where they fail.
class Cluster {
 public:
  static constexpr std::array<int, 3> kFounders{1, 2, 3};

  explicit Cluster(Console console = Console::kPipes) : console_(console) {}
  /// Checks the histories of everything that ran, CheckHistory().
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Starts a founder, or a replica that was added: `flags` behind `-replicaid N`. The replica must
  /// not be running.
  Program& Start(int replica, std::vector<std::string> flags = {});
  Program& Start(int replica, ProgramOptions options);
  /// Starts a member that was added at `address`.
  Program& Join(int replica, const std::string& address);
  void StartFounders();
  /// The founders are started, and the group has counted its first message.
  void StartAndAwaitLeader();

  Program& replica(int replica) { return *programs_.at(replica); }
  bool Runs(int replica) const { return programs_.contains(replica); }
  /// The replicas that run.
  std::vector<int> Running() const;

  /// Ends all that run.
  void StopAll();
  /// CTRL+C in its terminal, or SIGINT.
  void Stop(int replica);
  void Kill(int replica);
  /// Forgets a program that ended or is to end by itself, within 10 seconds, and returns how.
  Ending AwaitEnd(int replica);

  /// Types a line at `typed`, again when no leader was found in time, and waits until all of `seen`
  /// (the running ones by default) have printed it. Its count; nothing, after a failure was
  /// reported, when one did not in time.
  std::optional<std::uint64_t> Say(int typed, const std::string& message,
                                   std::vector<int> seen = {},
                                   std::chrono::milliseconds limit = kLongWait);
  /// Whether `replica` prints `message` within `limit`: its count. No failure when it does not.
  std::optional<std::uint64_t> AwaitUpdate(int replica, const std::string& message,
                                           std::chrono::milliseconds limit = kLongWait);
  /// Says `count` messages `<prefix>1`, ... one after the other.
  void SayMany(int typed, const std::string& prefix, int count);
  /// Makes a membership change and expects it to succeed.
  void Change(int typed, const std::string& command);

  /// The replica whose log said last that it became leader, among the running; 0 when none did.
  int Leader() const;

  /// What all runs so far have printed; the running ones included.
  History GetHistory() const;
  /// Expects no problems in the history.
  void CheckHistory() const;
  /// Removes all data and forgets the history; nothing may run.
  void StartOver();

  const std::filesystem::path& directory() const { return folder_.path(); }
  std::filesystem::path data() const { return directory() / "example-data" / "helloworld-data"; }
  std::filesystem::path data(int replica) const {
    return data() / ("node" + std::to_string(replica));
  }
  ProgramOptions Options(int replica, std::vector<std::string> flags = {}) const;

 private:
  // Types a line, again when it was refused, until `seen` has printed it or `deadline`.
  void TypeUntilTaken(int typed, const std::string& message, int seen, Clock::time_point deadline);
  void Retire(int replica);
  static Run ReadRun(int replica, const Program& program);

  const TemporaryFolder folder_;
  const Console console_;
  std::map<int, std::unique_ptr<Program>> programs_;
  std::vector<Run> ended_;
};

}  // namespace drumbeat::system
