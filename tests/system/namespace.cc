// SPDX-License-Identifier: Apache-2.0
#include "system/namespace.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <sched.h>
#include <unistd.h>

namespace drumbeat::system {
namespace {

std::string Failed(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

bool WriteFile(const char* path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  return file.flush().good();
}

std::optional<std::string> BecomeRootOfUserNamespace() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) return Failed("no user namespace");
  if (!WriteFile("/proc/self/setgroups", "deny") ||
      !WriteFile("/proc/self/uid_map", "0 " + std::to_string(user) + " 1") ||
      !WriteFile("/proc/self/gid_map", "0 " + std::to_string(group) + " 1")) {
    return "no user map in the user namespace";
  }
  return std::nullopt;
}

std::optional<std::string> RaiseLoopback() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool raised = ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  std::optional<std::string> problem;
  if (!raised) problem = Failed("no loopback device");
  ::close(fd);
  return problem;
}

}  // namespace

std::optional<std::string> EnterNamespace() {
  if (::geteuid() != 0) {
    if (auto problem = BecomeRootOfUserNamespace()) return problem;
  }
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return Failed("no network namespace");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return Failed("no private mounts");
  }
  return RaiseLoopback();
}

bool CanRunAsOthers() {
  // Real root's map has all the ids, that of a user namespace only one.
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t inside = 0;
  std::uint64_t outside = 0;
  std::uint64_t ids = 0;
  map >> inside >> outside >> ids;
  return ::geteuid() == 0 && ids > 65536;
}

bool MountSmallDisk(const std::filesystem::path& folder, std::uint64_t bytes) {
  const std::string options = "mode=0700,size=" + std::to_string(bytes);
  return ::mount("tmpfs", folder.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

bool MountReadOnly(const std::filesystem::path& folder) {
  return ::mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
         ::mount(nullptr, folder.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0;
}

bool Unmount(const std::filesystem::path& folder) {
  return ::umount2(folder.c_str(), MNT_DETACH) == 0;
}

Firewall::Firewall() {
  works_ =
      Run("add table inet faults\n"
          "add chain inet faults output { type filter hook output priority 0; policy accept; }\n");
}

Firewall::~Firewall() {
  if (works_) Run("delete table inet faults\n");
}

void Firewall::Drop(uid_t from, std::uint16_t to) {
  works_ = works_ && Run("add rule inet faults output meta skuid " + std::to_string(from) +
                         " tcp dport " + std::to_string(to) + " drop\n");
}

void Firewall::DropAtRandom(int percent) {
  works_ = works_ && Run("add rule inet faults output meta l4proto tcp numgen random mod 100 < " +
                         std::to_string(percent) + " drop\n");
}

void Firewall::Heal() { works_ = works_ && Run("flush chain inet faults output\n"); }

bool Firewall::Run(std::string_view commands) const {
  std::FILE* nft = ::popen("PATH=$PATH:/usr/sbin:/sbin nft -f - 2>/dev/null", "w");
  if (nft == nullptr) return false;
  std::fwrite(commands.data(), 1, commands.size(), nft);
  return ::pclose(nft) == 0;
}

}  // namespace drumbeat::system
