// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <system_error>

#include <gtest/gtest.h>

#include "local_hosts.h"

// P-12: a start without threads or descriptors ends with an error and leaves nothing behind.
namespace drumbeat::node_host {
namespace {

namespace fs = std::filesystem;

/// Gives out so many threads and no more.
class MeagreScheduler : public Scheduler {
 public:
  explicit MeagreScheduler(int threads) : threads_(threads) {}

  std::unique_ptr<Task> Start(std::string name, std::function<void()> pass) override {
    Take();
    return real_->Start(std::move(name), std::move(pass));
  }
  std::unique_ptr<Task> Every(std::string name, std::chrono::milliseconds period,
                              std::function<void()> pass) override {
    Take();
    return real_->Every(std::move(name), period, std::move(pass));
  }
  bool OnTaskThread() const override { return real_->OnTaskThread(); }
  void Await(const std::function<bool()>& done) override { real_->Await(done); }
  std::chrono::steady_clock::time_point Now() const override { return real_->Now(); }
  std::uint64_t UnixNanoseconds() const override { return real_->UnixNanoseconds(); }

 private:
  // As std::thread does.
  void Take() {
    if (threads_-- <= 0) throw std::system_error(EAGAIN, std::generic_category());
  }

  int threads_;
  std::unique_ptr<Scheduler> real_ = MakeThreadScheduler();
};

TEST(StartLimitsTest, WithTooFewThreadsThereIsAnErrorAndNoHost) {
  bool started = false;
  int refused = 0;
  for (int threads = 0; !started; ++threads) {
    ASSERT_LT(threads, 1000);
    Switchboard board;
    StallingDisk disk;
    NodeHostConfig config;
    config.raft_address = "host1:1";
    config.tick = milliseconds(5);
    config.deployment_id = 1;
    HostParts parts{.scheduler = std::make_unique<MeagreScheduler>(threads),
                    .folder = nullptr,
                    .stores = disk.Open(),
                    .transport = std::make_unique<Switchboard::Line>(board, "host1:1"),
                    .logger = logging::Logger(std::make_shared<QuietSink>(), LogLevel::kInfo, "t"),
                    .id = "host1",
                    .seed = 1};
    const auto host = Host::Start(config, std::move(parts));
    started = host.has_value();
    if (started) break;
    ++refused;
    EXPECT_EQ(host.error().code, ErrorCode::kStorage);
    EXPECT_NE(host.error().text().find("thread"), std::string::npos) << host.error().text();
  }
  EXPECT_GT(refused, 5);
}

/// Lets this process open no descriptor from `first` on.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t first) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = first;
    works_ = ::setrlimit(RLIMIT_NOFILE, &few) == 0;
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  bool works() const { return works_; }

 private:
  rlimit before_{};
  bool works_ = false;
};

TEST(StartLimitsTest, WithTooFewDescriptorsThereIsAnErrorAndNoFolder) {
  std::string pattern = (fs::temp_directory_path() / "drumbeat-XXXXXX").string();
  const fs::path root = ::mkdtemp(pattern.data());
  const fs::path folder = root / "data";
  const auto open = [&] {
    NodeHostConfig config;
    config.data_dir = folder;
    config.raft_address = "localhost:1";
    config.listen_address = "127.0.0.1:0";
    config.tick = milliseconds(10);
    config.log_sink = std::make_shared<QuietSink>();
    return NodeHost::Open(std::move(config));
  };
  {
    const auto host = open();
    ASSERT_TRUE(host.has_value()) << host.error().text();
  }
  const auto taken = std::distance(fs::directory_iterator("/proc/self/fd"), {});
  int refused = 0;
  int opened = 0;
  for (rlim_t first = 3; opened < 3; ++first) {
    ASSERT_LT(first, static_cast<rlim_t>(taken) + 500);
    fs::remove_all(folder);
    Result<std::unique_ptr<NodeHost>> host = Fail(ErrorCode::kAborted);
    {
      const FewDescriptors few(first);
      ASSERT_TRUE(few.works());
      host = open();
      if (host) host->reset();
    }
    if (host) {
      ++opened;
      continue;
    }
    ++refused;
    EXPECT_TRUE(host.error().code == ErrorCode::kStorage ||
                host.error().code == ErrorCode::kAddressInUse)
        << first << ": " << host.error().text();
    EXPECT_FALSE(fs::exists(folder)) << first << ": " << host.error().text();
  }
  EXPECT_GT(refused, 5);
  // What was cut short stands in nobody's way.
  const auto host = open();
  EXPECT_TRUE(host.has_value()) << host.error().text();
  fs::remove_all(root);
}

}  // namespace
}  // namespace drumbeat::node_host
