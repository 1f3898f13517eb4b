// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "drumbeat/log.h"
#include "drumbeat/node_host.h"

namespace drumbeat::node_host {

using std::chrono::milliseconds;

/// Appends commands to a text; Lookup gives the text. "throw" and "fail" do as they say.
class TextMachine : public StateMachine {
 public:
  Result<ApplyResult> Update(const UpdateEntry& entry) override;
  Result<std::any> Lookup(const std::any& query) const override;
  Result<void> SaveSnapshot(SnapshotWriter& writer, std::stop_token stop) const override;
  Result<void> RecoverFromSnapshot(SnapshotReader& reader, std::stop_token stop) override;

 private:
  std::string text_;
};

/// Keeps log lines instead of printing them.
class QuietSink : public LogSink {
 public:
  void Write(LogLevel level, std::string_view component, std::string_view text) override;
  bool Has(std::string_view part) const { return Count(part) > 0; }
  /// The lines that hold `part`.
  std::ptrdiff_t Count(std::string_view part) const;
  /// All lines.
  std::string Text() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// A host of a test: real folder, real sockets, ports that the system chose.
struct TestHost {
  std::filesystem::path folder;
  std::string address;
  int listen_fd = -1;
  std::shared_ptr<QuietSink> log = std::make_shared<QuietSink>();
  std::shared_ptr<EventListener> listener;
  std::unique_ptr<NodeHost> host;
};

/// Hosts in one process, one shard of text machines.
class TestCluster {
 public:
  static constexpr ShardId kShard{128};

  explicit TestCluster(std::size_t hosts);
  ~TestCluster();

  /// Opens host `id` again after Stop().
  void Open(std::uint64_t id);
  void Stop(std::uint64_t id);
  /// What was sent to host `id` since Stop() will not arrive: it waits in the port.
  void LoseSent(std::uint64_t id);
  NodeHost& At(std::uint64_t id) { return *hosts_.at(id).host; }
  TestHost& Host(std::uint64_t id) { return hosts_.at(id); }

  ReplicaConfig Config(std::uint64_t id) const;
  /// Starts the first `founders` replicas.
  void Found(std::size_t founders);
  /// And waits until a leader takes `text` from host 1.
  void Serve(std::size_t founders, const std::string& text = "a");
  Result<void> Start(std::uint64_t id, bool join, const ReplicaConfig& config);
  Result<void> Start(std::uint64_t id, bool join = false) { return Start(id, join, Config(id)); }
  MemberMap Founders() const;

  /// Waits until some running host leads; its id.
  std::uint64_t WaitForLeader();
  /// Proposes at host `id` with the NoOP session, again while nobody leads.
  Result<ApplyResult> Propose(std::uint64_t id, const std::string& text);
  std::string Text(std::uint64_t id);
  /// Waits until the replica at `id` shows `text`.
  bool WaitForText(std::uint64_t id, const std::string& text);

  std::uint64_t snapshot_entries = 0;
  std::uint64_t compaction_overhead = 0;
  /// Of single replicas; 20 otherwise.
  std::map<std::uint64_t, std::uint64_t> election_ticks;

 private:
  std::size_t founders_ = 0;
  std::filesystem::path root_;
  std::map<std::uint64_t, TestHost> hosts_;
};

/// Looks at `condition` until it holds, for at most 20 s.
bool Eventually(const std::function<bool()>& condition);

}  // namespace drumbeat::node_host
