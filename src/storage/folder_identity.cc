// SPDX-License-Identifier: Apache-2.0
#include "storage/folder_identity.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>

#include "base/crc.h"
#include "storage/advice.h"

namespace drumbeat::storage {
namespace {

constexpr std::uint64_t kFormat = 1;
constexpr std::string_view kTitle = "drumbeat data folder, format ";
constexpr std::string_view kAddress = "raft address: ";
constexpr std::string_view kDeployment = "deployment id: ";
constexpr std::string_view kHost = "host id: ";
constexpr std::string_view kChecksum = "crc32c: ";

std::string Hex(std::uint32_t value) {
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08x", value);
  return text.data();
}

/// What follows `label` on the first line of `text`, which is taken off it.
std::optional<std::string> TakeLine(std::string_view& text, std::string_view label) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(label)) return std::nullopt;
  std::string value(text.substr(label.size(), end - label.size()));
  text.remove_prefix(end + 1);
  return value;
}

std::optional<std::uint64_t> ParseNumber(const std::optional<std::string>& text) {
  std::uint64_t value = 0;
  if (!text) return std::nullopt;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::string Canonical(std::string_view address) {
  const std::size_t first = address.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  address = address.substr(first, address.find_last_not_of(" \t\r\n") - first + 1);
  std::string lower(address);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace

std::string EncodeIdentity(const IdentityRecord& record) {
  std::string text;
  text.append(kTitle).append(std::to_string(kFormat)).append("\n");
  text.append(kAddress).append(record.identity.raft_address).append("\n");
  text.append(kDeployment).append(std::to_string(record.identity.deployment_id)).append("\n");
  text.append(kHost).append(record.host_id).append("\n");
  const std::string checksum = Hex(base::Crc32c(text));
  return text.append(kChecksum).append(checksum).append("\n");
}

Result<IdentityRecord> DecodeIdentity(std::string_view path, std::string_view text) {
  const auto damaged = [&] {
    return Fail(ErrorCode::kDamaged,
                std::string(path) + " is damaged; restore it from a backup of the data folder");
  };
  // The checksum is the last line in every format.
  const std::size_t last = text.rfind(kChecksum);
  if (last == std::string_view::npos ||
      text.substr(last) !=
          std::string(kChecksum) + Hex(base::Crc32c(text.substr(0, last))) + "\n") {
    return damaged();
  }
  const std::optional<std::uint64_t> format = ParseNumber(TakeLine(text, kTitle));
  if (!format || *format == 0) return damaged();
  if (*format > kFormat) {
    return Fail(ErrorCode::kNewerFormat,
                Advised(std::string(path) + " has format " + std::to_string(*format) +
                            " of a newer version of drumbeat",
                        kNewerAdvice));
  }
  const std::optional<std::string> address = TakeLine(text, kAddress);
  const std::optional<std::uint64_t> deployment = ParseNumber(TakeLine(text, kDeployment));
  const std::optional<std::string> host_id = TakeLine(text, kHost);
  if (!address || !deployment || !host_id || !TakeLine(text, kChecksum) || !text.empty()) {
    return damaged();
  }
  return IdentityRecord{.identity = {.raft_address = *address, .deployment_id = *deployment},
                        .host_id = *host_id};
}

Result<void> CompareIdentity(std::string_view path, const FolderIdentity& recorded,
                             const FolderIdentity& wanted) {
  if (Canonical(recorded.raft_address) != Canonical(wanted.raft_address)) {
    return Fail(ErrorCode::kNotOwner,
                "data folder " + std::string(path) + " belongs to " + recorded.raft_address +
                    ", not to " + wanted.raft_address + "; start with that address or choose " +
                    "another folder");
  }
  if (recorded.deployment_id != wanted.deployment_id) {
    return Fail(ErrorCode::kNotOwner,
                "data folder " + std::string(path) + " belongs to deployment " +
                    std::to_string(recorded.deployment_id) + ", not to " +
                    std::to_string(wanted.deployment_id) + "; choose another folder");
  }
  return {};
}

}  // namespace drumbeat::storage
