// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>

#include "bench/measurement.h"
#include "bench/node_process.h"
#include "bench/system.h"

namespace drumbeat::bench {

/// A child process that answers lines with lines.
class NodeProcess {
 public:
  /// Starts this program again as the node that `options` describe.
  NodeProcess(const NodeOptions& options, const std::filesystem::path& log);
  /// Ends it: its stdin closes, and it is killed if that was not enough.
  ~NodeProcess();
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  void Send(const std::string& line);
  /// The next line of the node; ends the program when it is an error or there is none.
  std::string Receive();
  std::string Ask(const std::string& line);
  pid_t pid() const { return pid_; }

 private:
  std::filesystem::path log_;
  pid_t pid_ = 0;
  Fd to_;
  Fd from_;
  std::string received_;
};

/// Three node hosts in three processes with one shard, and the load on it.
class Cluster {
 public:
  /// Starts it in `folder` and waits for a leader.
  Cluster(const std::filesystem::path& folder, const NodeSettings& settings);

  /// Measures one cell in the leader's process. Ends the program unless every acknowledged write
  /// was applied exactly once on all three replicas, in the same order.
  Measurement Measure(const Cell& cell, double warmup_seconds, double seconds);

  pid_t pid(std::size_t node) const { return nodes_.at(node)->pid(); }

 private:
  static constexpr std::size_t kNodes = 3;

  NodeProcess& WaitForLeader();
  /// Over the three processes.
  std::uint64_t Sum(std::uint64_t (*figure)(pid_t)) const;
  /// Waits until all replicas have applied between `least` and `most` commands, all the same.
  void CheckAgreement(std::uint64_t least, std::uint64_t most);

  std::array<std::unique_ptr<NodeProcess>, kNodes> nodes_;
  /// Commands applied before the present cell.
  std::uint64_t applied_ = 0;
};

}  // namespace drumbeat::bench
