// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "bench/cluster.h"
#include "bench/floor.h"
#include "bench/measurement.h"
#include "bench/node_process.h"
#include "bench/report.h"
#include "bench/system.h"

namespace drumbeat::bench {
namespace {

struct Options {
  std::vector<std::size_t> writes = {1, 16, 256, 4096};
  std::vector<std::size_t> reads = {1, 256, 4096};
  std::vector<std::size_t> payloads = {128};
  std::size_t rounds = 5;
  double seconds = 3;
  double warmup_seconds = 1;
  double floor_seconds = 1.5;
  std::filesystem::path folder = "/var/tmp";
  bool quick = false;
  bool json = false;
  bool only_floor = false;
  bool only_library = false;
  double verdict = 0;
  NodeOptions node;
};

void Declare(CLI::App& app, Options& options) {
  app.add_option("--writes", options.writes, "Writes in flight, one cell each; 0: none")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--reads", options.reads, "Linearizable reads in flight; 0: none")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--payload", options.payloads, "Bytes of a write, one cell each")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Rounds of floor, library, floor, ...")
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Measured time of a cell")->capture_default_str();
  app.add_option("--warmup", options.warmup_seconds, "Time before it")->capture_default_str();
  app.add_option("--floor-seconds", options.floor_seconds, "Measured time of the floor")
      ->capture_default_str();
  app.add_option("--dir", options.folder, "Where the logs lie; the disk that is measured")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_flag("--quick", options.quick, "Two short rounds, under a minute");
  app.add_flag("--json", options.json, "A line of JSON for each cell and system");
  app.add_option("--verdict", options.verdict,
                 "Status 1 unless the promised shares of the floor, times this, are reached")
      ->expected(0, 1)
      ->default_str("1");
  app.add_flag("--only-floor", options.only_floor, "Leave the library out");
  app.add_flag("--only-library", options.only_library, "Leave the floor out");

  NodeSettings& settings = options.node.settings;
  app.add_option("--tick-ms", settings.tick_ms)->group("Node hosts")->capture_default_str();
  app.add_option("--engine-workers", settings.engine_workers)->group("Node hosts");
  app.add_option("--apply-workers", settings.apply_workers)->group("Node hosts");
  app.add_option("--log-store-mib", settings.log_store_mib)
      ->group("Node hosts")
      ->capture_default_str();
  app.add_option("--snapshot-entries", settings.snapshot_entries)
      ->group("Node hosts")
      ->capture_default_str();

  // How this program starts its node processes.
  app.add_option("--node", options.node.replica)->group("");
  app.add_option("--node-folder", options.node.folder)->group("");
  app.add_option("--node-listen-fd", options.node.listen_fd)->group("");
  app.add_option("--node-ports", options.node.ports)->delimiter(',')->group("");
}

std::vector<CellReport> Cells(const Options& options) {
  std::vector<CellReport> cells;
  for (const std::size_t payload : options.payloads) {
    for (const std::size_t in_flight : options.writes) {
      if (in_flight == 0) continue;
      CellReport& report = cells.emplace_back();
      report.cell = {
          .operation = Operation::kWrite, .in_flight = in_flight, .payload_bytes = payload};
    }
  }
  for (const std::size_t in_flight : options.reads) {
    if (in_flight == 0) continue;
    CellReport& report = cells.emplace_back();
    report.cell = {.operation = Operation::kRead, .in_flight = in_flight, .payload_bytes = 16};
  }
  return cells;
}

/// The library's cells of one round. A quick round shares one cluster; otherwise each cell has a
/// cluster of its own, so that no cell finds what an earlier one left in the stores.
class LibraryRound {
 public:
  LibraryRound(const std::filesystem::path& folder, const Options& options)
      : parent_(folder), options_(options) {}

  Measurement Measure(const Cell& cell) {
    if (cluster_ == nullptr || !options_.quick) Restart();
    return cluster_->Measure(cell, options_.warmup_seconds, options_.seconds);
  }

 private:
  void Restart() {
    cluster_.reset();
    folder_.emplace(parent_);
    cluster_ = std::make_unique<Cluster>(folder_->path(), options_.node.settings);
  }

  const std::filesystem::path parent_;
  const Options& options_;
  std::optional<TempFolder> folder_;
  std::unique_ptr<Cluster> cluster_;
};

void RunRound(const std::filesystem::path& folder, const Options& options,
              std::vector<CellReport>& cells) {
  LibraryRound library(folder, options);
  for (CellReport& report : cells) {
    std::optional<Measurement> floor;
    if (!options.only_library) {
      const Durability durability =
          report.cell.operation == Operation::kWrite ? Durability::kSynced : Durability::kMemory;
      floor = MeasureFloor(folder, report.cell, durability, options.floor_seconds);
      report.floor.Add(*floor);
    }
    if (options.only_floor) continue;
    const Measurement measured = library.Measure(report.cell);
    report.library.Add(measured);
    if (floor) report.ratio.Add(measured.per_second / floor->per_second);
  }
}

std::string Describe(const Options& options) {
  const NodeSettings& settings = options.node.settings;
  const auto or_default = [](std::size_t count) {
    return count == 0 ? std::string("default") : std::to_string(count);
  };
  return "three processes, loopback, one shard, tick " + std::to_string(settings.tick_ms) +
         " ms, engine workers " + or_default(settings.engine_workers) + ", apply workers " +
         or_default(settings.apply_workers) + ", log store " +
         std::to_string(settings.log_store_mib) + " MiB, snapshot entries " +
         std::to_string(settings.snapshot_entries);
}

int Run(const Options& options) {
  const std::string machine = MachineLine(options.folder);
  const std::string settings = Describe(options);
  std::cerr << machine << "\n" << settings << "\n";
  std::vector<CellReport> cells = Cells(options);
  {
    const TempFolder folder(options.folder);
    for (std::size_t round = 1; round <= options.rounds; ++round) {
      std::cerr << "round " << round << " of " << options.rounds << "\n";
      RunRound(folder.path(), options, cells);
    }
  }
  if (options.json) {
    PrintJson(std::cout, cells, machine, settings);
  } else {
    PrintTable(std::cout, cells);
  }
  if (options.verdict == 0) return 0;
  std::cout << "\n";
  return PrintVerdict(std::cout, cells, options.verdict) ? 0 : 1;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Measures drumbeat against the floor: what three processes that sync a log together cannot "
      "beat on this machine.",
      "drumbeat_bench");
  Options options;
  Declare(app, options);
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  if (options.node.replica != 0) return RunNode(options.node);
  if (options.quick) {
    options.rounds = 2;
    options.seconds = 1;
    options.warmup_seconds = 0.3;
    options.floor_seconds = 0.5;
  }
  return Run(options);
}

}  // namespace
}  // namespace drumbeat::bench

int main(int argc, char** argv) { return drumbeat::bench::Main(argc, argv); }
