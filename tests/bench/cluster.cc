// SPDX-License-Identifier: Apache-2.0
#include "bench/cluster.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace drumbeat::bench {

namespace {

constexpr std::uint64_t kMillisecondNs = 1'000'000;
constexpr int kAnswerTimeoutMs = 120'000;
constexpr std::uint64_t kAgreementNs = 30'000 * kMillisecondNs;

std::vector<std::string> Arguments(const NodeOptions& options) {
  std::string ports;
  for (const std::uint16_t port : options.ports) {
    if (!ports.empty()) ports += ',';
    ports += std::to_string(port);
  }
  const NodeSettings& settings = options.settings;
  return {"drumbeat_bench",
          "--node=" + std::to_string(options.replica),
          "--node-folder=" + options.folder.string(),
          "--node-listen-fd=" + std::to_string(options.listen_fd),
          "--node-ports=" + ports,
          "--tick-ms=" + std::to_string(settings.tick_ms),
          "--engine-workers=" + std::to_string(settings.engine_workers),
          "--apply-workers=" + std::to_string(settings.apply_workers),
          "--log-store-mib=" + std::to_string(settings.log_store_mib),
          "--snapshot-entries=" + std::to_string(settings.snapshot_entries)};
}

struct Pipe {
  Fd read;
  Fd write;
};
Pipe MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Die("pipe");
  return {.read = Fd(ends[0]), .write = Fd(ends[1])};
}

/// In the child: becomes the node, with its pipes as stdin and stdout and its log as stderr.
[[noreturn]] void Become(const NodeOptions& options, const std::filesystem::path& log, int in,
                         int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int err = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (err < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(127);
  fcntl(options.listen_fd, F_SETFD, 0);
  std::vector<std::string> arguments = Arguments(options);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execv("/proc/self/exe", pointers.data());
  _exit(127);
}

[[noreturn]] void Fail(const std::string& text) {
  std::fprintf(stderr, "drumbeat_bench: %s\n", text.c_str());
  std::exit(1);
}

}  // namespace

NodeProcess::NodeProcess(const NodeOptions& options, const std::filesystem::path& log) : log_(log) {
  Pipe commands = MakePipe();
  Pipe answers = MakePipe();
  pid_ = fork();
  if (pid_ < 0) Die("fork");
  if (pid_ == 0) Become(options, log, commands.read.get(), answers.write.get());
  to_ = std::move(commands.write);
  from_ = std::move(answers.read);
}

NodeProcess::~NodeProcess() {
  to_ = Fd();
  // Its stdout closes when it has ended.
  pollfd end{.fd = from_.get(), .events = POLLIN, .revents = 0};
  if (poll(&end, 1, 10'000) <= 0) kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void NodeProcess::Send(const std::string& line) {
  const std::string bytes = line + "\n";
  if (!WriteAll(to_.get(), bytes.data(), bytes.size())) Die("write to a node");
}

std::string NodeProcess::Receive() {
  for (;;) {
    if (const std::size_t end = received_.find('\n'); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      if (line.starts_with("error ")) Fail("node " + std::to_string(pid_) + ": " + line.substr(6));
      return line;
    }
    pollfd readable{.fd = from_.get(), .events = POLLIN, .revents = 0};
    char bytes[4096];
    ssize_t got = -1;
    if (poll(&readable, 1, kAnswerTimeoutMs) > 0) got = read(from_.get(), bytes, sizeof bytes);
    if (got <= 0) {
      std::ifstream log(log_);
      std::cerr << log.rdbuf();
      Fail("a node has ended or does not answer; its log is above");
    }
    received_.append(bytes, static_cast<std::size_t>(got));
  }
}

std::string NodeProcess::Ask(const std::string& line) {
  Send(line);
  return Receive();
}

Cluster::Cluster(const std::filesystem::path& folder, const NodeSettings& settings) {
  std::vector<Listener> listeners;
  NodeOptions options;
  options.settings = settings;
  for (std::size_t i = 0; i < kNodes; ++i) {
    listeners.push_back(ListenOnLoopback());
    options.ports.push_back(listeners.back().port);
  }
  for (std::size_t i = 0; i < kNodes; ++i) {
    options.replica = i + 1;
    options.listen_fd = listeners[i].fd.get();
    options.folder = folder / std::to_string(options.replica);
    nodes_[i] = std::make_unique<NodeProcess>(options, folder / ("log." + std::to_string(i + 1)));
  }
  for (auto& node : nodes_) node->Receive();
  WaitForLeader();
}

NodeProcess& Cluster::WaitForLeader() {
  const std::uint64_t deadline = NowNs() + kAgreementNs;
  while (NowNs() < deadline) {
    const std::string leader = nodes_[0]->Ask("leader");
    if (leader != "0" && nodes_[1]->Ask("leader") == leader && nodes_[2]->Ask("leader") == leader) {
      return *nodes_.at(std::stoul(leader) - 1);
    }
    SleepUntilNs(NowNs() + 5 * kMillisecondNs);
  }
  Fail("the nodes agree on no leader");
}

std::uint64_t Cluster::Sum(std::uint64_t (*figure)(pid_t)) const {
  std::uint64_t sum = 0;
  for (const auto& node : nodes_) sum += figure(node->pid());
  return sum;
}

Measurement Cluster::Measure(const Cell& cell, double warmup_seconds, double seconds) {
  NodeProcess& leader = WaitForLeader();
  const std::uint64_t start = NowNs() + 50 * kMillisecondNs;
  const auto from = start + static_cast<std::uint64_t>(warmup_seconds * 1e9);
  const auto to = from + static_cast<std::uint64_t>(seconds * 1e9);
  std::ostringstream command;
  command << "load " << (cell.operation == Operation::kRead ? "read " : "write ") << cell.in_flight
          << ' ' << cell.payload_bytes << ' ' << start << ' ' << from << ' ' << to;
  leader.Send(command.str());
  SleepUntilNs(from);
  const std::uint64_t cpu_before = Sum(CpuNs);
  const std::uint64_t switches_before = Sum(ContextSwitches);
  SleepUntilNs(to);
  const std::uint64_t cpu = Sum(CpuNs) - cpu_before;
  const std::uint64_t switches = Sum(ContextSwitches) - switches_before;

  std::istringstream answer(leader.Receive());
  std::uint64_t acknowledged = 0, busy = 0, errors = 0, p50 = 0, p99 = 0, p999 = 0, max = 0;
  double operations = 0;
  std::string error;
  answer >> acknowledged >> busy >> errors >> operations >> p50 >> p99 >> p999 >> max;
  std::getline(answer, error);
  if (errors != 0) {
    std::fprintf(stderr, "drumbeat_bench: %llu requests ended with an error, such as:%s\n",
                 static_cast<unsigned long long>(errors), error.c_str());
  }
  if (operations == 0) Fail("nothing completed");
  if (cell.operation == Operation::kRead) acknowledged = errors = 0;
  CheckAgreement(applied_ + acknowledged, applied_ + acknowledged + errors);
  return {.per_second = operations / seconds,
          .p50_us = static_cast<double>(p50) / 1e3,
          .p99_us = static_cast<double>(p99) / 1e3,
          .p999_us = static_cast<double>(p999) / 1e3,
          .max_us = static_cast<double>(max) / 1e3,
          .cpu_us = static_cast<double>(cpu) / 1e3 / operations,
          .switches = static_cast<double>(switches) / operations};
}

void Cluster::CheckAgreement(std::uint64_t least, std::uint64_t most) {
  const std::uint64_t deadline = NowNs() + kAgreementNs;
  std::string states;
  do {
    const std::string first = nodes_[0]->Ask("state");
    const std::string second = nodes_[1]->Ask("state");
    const std::string third = nodes_[2]->Ask("state");
    const std::uint64_t count = std::stoull(first);
    if (first == second && first == third && count >= least && count <= most) {
      applied_ = count;
      return;
    }
    states = first + ", " + second + ", " + third;
    SleepUntilNs(NowNs() + 10 * kMillisecondNs);
  } while (NowNs() < deadline);
  Fail("CHECK FAILED: acknowledged " + std::to_string(least) + " to " + std::to_string(most) +
       " commands, but count and hash of the replicas are " + states);
}

}  // namespace drumbeat::bench
