// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace drumbeat::system {

/// Moves the calling thread, and whatever it starts from then on, into network and mount namespaces
/// of their own, with nothing but a loopback device: the ports of the tutorial are free there, and
/// nothing that a test mounts or filters is seen outside. An ordinary user becomes root of a user
/// namespace on the way.
///
/// Returns why it was not possible. Call it before the process has a second thread.
std::optional<std::string> EnterNamespace();

/// Whether programs can run as other users here, which only real root can arrange.
bool CanRunAsOthers();

/// Mounts an empty file system of `bytes` at the existing `folder`.
bool MountSmallDisk(const std::filesystem::path& folder, std::uint64_t bytes);
/// Makes `folder` and all below it read-only, whoever asks.
bool MountReadOnly(const std::filesystem::path& folder);
bool Unmount(const std::filesystem::path& folder);

/// Rules for the packets of this namespace, by nftables; all gone with the object.
class Firewall {
 public:
  Firewall();
  ~Firewall();
  Firewall(const Firewall&) = delete;
  Firewall& operator=(const Firewall&) = delete;

  /// False where nftables are missing.
  bool works() const { return works_; }
  /// Drops what user `from` sends to port `to`: each direction of a link between replicas is a
  /// connection of its own, made by who sends.
  void Drop(uid_t from, std::uint16_t to);
  /// Drops `percent` of everything that is sent.
  void DropAtRandom(int percent);
  /// Lets everything through again.
  void Heal();

 private:
  bool Run(std::string_view commands) const;
  bool works_ = false;
};

}  // namespace drumbeat::system
