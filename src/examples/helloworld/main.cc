// SPDX-License-Identifier: Apache-2.0
//
// One replica of a three-replica group that counts messages. README.md walks through it.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "drumbeat/config.h"
#include "drumbeat/error.h"
#include "drumbeat/event_listener.h"
#include "drumbeat/node_host.h"
#include "drumbeat/types.h"

#include "commands.h"
#include "count_reader.h"
#include "example_state_machine.h"
#include "flags.h"
#include "line_reader.h"
#include "line_writer.h"
#include "membership_change.h"
#include "node_host_client.h"
#include "proposer.h"
#include "signal_watch.h"

namespace helloworld {
namespace {

using drumbeat::NodeHost;
using drumbeat::Result;
using drumbeat::ShardId;

constexpr ShardId kExampleShardId(128);
// CTRL+C ends the process within 2 seconds; the rest is for what may be left to print.
constexpr std::chrono::milliseconds kStopLimit{1800};

struct Console {
  LineWriter out{STDOUT_FILENO};
  LineWriter err{STDERR_FILENO};
};

// The process has one replica: when that fails for good, the process ends.
class FailureListener final : public drumbeat::EventListener {
 public:
  explicit FailureListener(std::stop_source stop) : stop_(std::move(stop)) {}

  void ReplicaFailed(const drumbeat::ReplicaRef& /*replica*/,
                     const drumbeat::Error& /*error*/) override {
    Stop();
  }
  void HostFailed(const drumbeat::Error& /*error*/) override { Stop(); }

  bool failed() const { return failed_; }

 private:
  void Stop() {
    failed_ = true;
    stop_.request_stop();
  }

  std::stop_source stop_;
  std::atomic<bool> failed_ = false;
};

drumbeat::ReplicaConfig MakeReplicaConfig(const Flags& flags) {
  return {
      .shard_id = kExampleShardId,
      .replica_id = flags.replica_id,
      // A follower that hears nothing from a leader for 10 ticks, or up to twice as long, starts
      // an election; a leader is heard of every tick.
      .election_ticks = 10,
      .heartbeat_ticks = 1,
      .check_quorum = true,
      // A snapshot after every 10 entries, of which it keeps the last 5 in the log: far too eager
      // for a real program, but here one can watch it.
      .snapshot_entries = 10,
      .compaction_overhead = 5,
  };
}

drumbeat::NodeHostConfig MakeNodeHostConfig(const Flags& flags,
                                            std::shared_ptr<drumbeat::EventListener> listener) {
  drumbeat::NodeHostConfig config;
  config.data_dir = std::filesystem::path("example-data") / "helloworld-data" /
                    ("node" + std::to_string(flags.replica_id.value()));
  config.raft_address = flags.address;
  config.tick = std::chrono::milliseconds(200);
  config.listener = std::move(listener);
  return config;
}

// What the rest of the program is made of, once its replica runs.
struct Parts {
  Console& console;
  ShardClient& client;
  Proposer& proposer;
  std::stop_token stop;
};

// Does what a line asks for; false at the end.
bool Obey(const Command& command, const Parts& parts) {
  if (std::holds_alternative<Exit>(command)) return false;
  std::expected<void, std::string> done;
  if (const auto* message = std::get_if<Message>(&command)) {
    done = parts.proposer.Propose(message->text);
  } else {
    const auto* add = std::get_if<Add>(&command);
    done = MakeMembershipChange(
        parts.client, add != nullptr ? MembershipChange(*add) : std::get<Remove>(command));
    if (done) parts.console.out.Write("membership change completed successfully");
  }
  if (!done && !parts.stop.stop_requested()) parts.console.err.Write(done.error());
  return true;
}

void ServeLines(const Parts& parts) {
  LineReader lines(STDIN_FILENO, parts.stop);
  std::string line;
  while (true) {
    switch (lines.Next(line)) {
      case LineReader::Event::kStopped: return;
      case LineReader::Event::kTooLong:
        parts.console.err.Write("the line is longer than 1 MiB, it was not proposed");
        break;
      case LineReader::Event::kLine:
        if (!Obey(ParseCommand(line), parts)) return;
        break;
    }
  }
}

// Serves until `exit` or the stop.
void Serve(NodeHost& host, Console& console, std::stop_source stop) {
  const auto print = [&console](std::string line) { console.out.Write(std::move(line)); };
  NodeHostClient client(host, kExampleShardId, stop.get_token());
  std::jthread reader([&] { PrintCounts(client, stop.get_token(), print); });
  Proposer proposer(client);
  ServeLines(
      {.console = console, .client = client, .proposer = proposer, .stop = stop.get_token()});
  proposer.Close(std::chrono::seconds(1));
  stop.request_stop();
}

int Run(const Flags& flags, Console& console, std::stop_source stop) {
  console.out.Write("node address: " + flags.address);
  const auto listener = std::make_shared<FailureListener>(stop);
  Result<std::unique_ptr<NodeHost>> opened = NodeHost::Open(MakeNodeHostConfig(flags, listener));
  if (!opened) {
    console.err.Write("failed to start the node host, " + std::string(opened.error().text()));
    return 1;
  }
  NodeHost& host = **opened;
  drumbeat::StartOptions options{.initial_members = {}, .join = flags.join};
  if (!flags.join) options.initial_members = InitialMembers();
  const auto factory = [&console](drumbeat::ShardId shard_id, drumbeat::ReplicaId replica_id) {
    return std::make_unique<ExampleStateMachine>(
        shard_id, replica_id, [&console](std::string line) { console.out.Write(std::move(line)); });
  };
  const Result<void> started = host.StartReplica(options, factory, MakeReplicaConfig(flags));
  if (!started) {
    console.err.Write("failed to add cluster, " + std::string(started.error().text()));
    return 1;
  }
  Serve(host, console, std::move(stop));
  host.Close();
  return listener->failed() ? 1 : 0;
}

// A file that is opened in the place of a closed stdout would get what is printed.
void OpenStandardStreams() {
  int fd = STDIN_FILENO;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = ::open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) ::close(fd);
}

int Main(const std::vector<std::string>& arguments) {
  OpenStandardStreams();
  const std::expected<Flags, EarlyExit> flags = ParseFlags(arguments);
  if (!flags) {
    std::fputs(flags.error().to_stdout.c_str(), stdout);
    std::fputs(flags.error().to_stderr.c_str(), stderr);
    return flags.error().status;
  }
  const SignalWatch signals(kStopLimit);
  int status = 0;
  {
    Console console;
    status = Run(*flags, console, signals.stop_source());
    if (const std::size_t left = console.out.Close(); left > 0) {
      console.err.Write(std::to_string(left) + " lines of the output are lost");
    }
  }
  signals.DieIfSignalled();
  return status;
}

}  // namespace
}  // namespace helloworld

int main(int argc, char** argv) {
  try {
    return helloworld::Main({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "example-helloworld cannot go on: %s\n", error.what());
    return 1;
  }
}
