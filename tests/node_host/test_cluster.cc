// SPDX-License-Identifier: Apache-2.0
#include "test_cluster.h"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

namespace drumbeat::node_host {

Result<ApplyResult> TextMachine::Update(const UpdateEntry& entry) {
  if (entry.command == "throw") throw std::runtime_error("as the test told it");
  if (entry.command == "fail") return Fail(ErrorCode::kStorage, "as the test told it");
  text_ += entry.command;
  return ApplyResult{.value = text_.size(), .data = std::string(entry.command)};
}

Result<std::any> TextMachine::Lookup(const std::any&) const { return std::any(text_); }

Result<void> TextMachine::SaveSnapshot(SnapshotWriter& writer, std::stop_token) const {
  return writer.Write(text_);
}

Result<void> TextMachine::RecoverFromSnapshot(SnapshotReader& reader, std::stop_token) {
  text_.clear();
  char buffer[4096];
  while (true) {
    const Result<std::size_t> got = reader.Read(buffer);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return {};
    text_.append(buffer, *got);
  }
}

void QuietSink::Write(LogLevel, std::string_view component, std::string_view text) {
  const std::lock_guard lock(mutex_);
  lines_.push_back(std::string(component) + ": " + std::string(text));
}

std::string QuietSink::Text() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const std::string& line : lines_) text += line + "\n";
  return text;
}

std::ptrdiff_t QuietSink::Count(std::string_view part) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::count_if(
      lines_, [&](const std::string& line) { return line.find(part) != std::string::npos; });
}

namespace {

/// A listening loopback socket on a port of the system's choice.
int Listen(std::string& address) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(name);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&name), size) != 0 || ::listen(fd, 64) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    throw std::runtime_error("no loopback socket");
  }
  address = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
  return fd;
}

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

TestCluster::TestCluster(std::size_t hosts) {
  std::string folder = (std::filesystem::temp_directory_path() / "drumbeat-XXXXXX").string();
  root_ = ::mkdtemp(folder.data());
  for (std::uint64_t id = 1; id <= hosts; ++id) {
    TestHost& host = hosts_[id];
    host.folder = root_ / ("node" + std::to_string(id));
    host.listen_fd = Listen(host.address);
  }
  for (std::uint64_t id = 1; id <= hosts; ++id) Open(id);
}

TestCluster::~TestCluster() {
  for (auto& [id, host] : hosts_) {
    if (host.host != nullptr) host.host->Close(milliseconds(0));
  }
  for (auto& [id, host] : hosts_) {
    host.host.reset();
    ::close(host.listen_fd);
  }
  std::filesystem::remove_all(root_);
}

void TestCluster::Open(std::uint64_t id) {
  TestHost& host = hosts_.at(id);
  NodeHostConfig config;
  config.data_dir = host.folder;
  config.raft_address = host.address;
  config.listen_fd = ::dup(host.listen_fd);  // the port stays ours while the host is away
  config.tick = milliseconds(10);
  config.log_sink = host.log;
  config.listener = host.listener;
  config.log_store_memory_bytes = 4u << 20;
  Result<std::unique_ptr<NodeHost>> opened = NodeHost::Open(std::move(config));
  ASSERT_TRUE(opened.has_value()) << opened.error().text();
  host.host = std::move(*opened);
}

void TestCluster::Stop(std::uint64_t id) { hosts_.at(id).host.reset(); }

void TestCluster::LoseSent(std::uint64_t id) {
  pollfd waiting{.fd = hosts_.at(id).listen_fd, .events = POLLIN, .revents = 0};
  while (::poll(&waiting, 1, 0) > 0) ::close(::accept(waiting.fd, nullptr, nullptr));
}

ReplicaConfig TestCluster::Config(std::uint64_t id) const {
  ReplicaConfig config;
  config.shard_id = kShard;
  config.replica_id = ReplicaId(id);
  const auto ticks = election_ticks.find(id);
  config.election_ticks = ticks == election_ticks.end() ? 20 : ticks->second;
  config.heartbeat_ticks = 2;
  config.snapshot_entries = snapshot_entries;
  config.compaction_overhead = compaction_overhead;
  return config;
}

MemberMap TestCluster::Founders() const {
  MemberMap members;
  for (const auto& [id, host] : hosts_) {
    if (id <= founders_) members[ReplicaId(id)] = host.address;
  }
  return members;
}

void TestCluster::Found(std::size_t founders) {
  founders_ = founders;
  for (std::uint64_t id = 1; id <= founders; ++id) {
    const Result<void> started = Start(id);
    ASSERT_TRUE(started.has_value()) << started.error().text();
  }
}

void TestCluster::Serve(std::size_t founders, const std::string& text) {
  Found(founders);
  const Result<ApplyResult> taken = Propose(1, text);
  ASSERT_TRUE(taken.has_value()) << taken.error().text();
}

Result<void> TestCluster::Start(std::uint64_t id, bool join, const ReplicaConfig& config) {
  StartOptions options;
  options.join = join;
  if (!join) options.initial_members = Founders();
  return At(id).StartReplica(
      options, [](ShardId, ReplicaId) { return std::make_unique<TextMachine>(); }, config);
}

std::uint64_t TestCluster::WaitForLeader() {
  std::uint64_t leader = 0;
  Eventually([&] {
    for (auto& [id, host] : hosts_) {
      if (host.host == nullptr) continue;
      const Result<LeaderInfo> info = host.host->GetLeader(kShard);
      if (info && info->leader == ReplicaId(id)) leader = id;
    }
    return leader != 0;
  });
  return leader;
}

Result<ApplyResult> TestCluster::Propose(std::uint64_t id, const std::string& text) {
  Result<ApplyResult> result = Fail(ErrorCode::kNoLeader);
  Eventually([&] {
    result = At(id).Propose(kShard, Session::NoOp(kShard), text, milliseconds(5000)).Get();
    return result || (result.error().code != ErrorCode::kNoLeader &&
                      result.error().code != ErrorCode::kNotReady);
  });
  return result;
}

std::string TestCluster::Text(std::uint64_t id) {
  const Result<std::any> text = At(id).StaleRead(kShard, {});
  return text ? std::any_cast<std::string>(*text) : std::string(text.error().text());
}

bool TestCluster::WaitForText(std::uint64_t id, const std::string& text) {
  return Eventually([&] { return Text(id) == text; });
}

}  // namespace drumbeat::node_host
