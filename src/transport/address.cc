// SPDX-License-Identifier: Apache-2.0
#include "transport/address.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>

namespace drumbeat::transport {
namespace {

constexpr std::size_t kMaxHostBytes = 253;
constexpr std::size_t kMaxLabelBytes = 63;
constexpr std::string_view kBlanks = " \t\n\v\f\r";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string_view Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool IsLiteral(int family, const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(family, host.c_str(), bytes) == 1;
}

/// Letters, digits and inner hyphens, a letter first.
bool IsLabel(std::string_view label) {
  if (label.empty() || label.size() > kMaxLabelBytes) return false;
  if (!IsLetter(label.front()) || label.back() == '-') return false;
  return std::ranges::all_of(label, [](char c) { return IsLetter(c) || IsDigit(c) || c == '-'; });
}

bool IsName(std::string_view host) {
  if (host.size() > kMaxHostBytes) return false;
  while (true) {
    const std::size_t dot = host.find('.');
    if (!IsLabel(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

std::optional<std::uint16_t> ParsePort(std::string_view text, bool allow_zero) {
  if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, IsDigit)) return std::nullopt;
  unsigned port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  if (port > 65535 || (port == 0 && !allow_zero)) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

/// Takes `[host]` or `host` off the front of `rest`.
std::optional<std::string> TakeHost(std::string_view& rest, AddressSyntax syntax) {
  if (!rest.empty() && rest.front() == '[') {
    const std::size_t end = rest.find(']');
    if (syntax != AddressSyntax::kIpv6Too || end == std::string_view::npos) return std::nullopt;
    std::string host(rest.substr(1, end - 1));
    rest.remove_prefix(end + 1);
    // A NUL would end what inet_pton looks at.
    if (host.find('\0') != std::string::npos || !IsLiteral(AF_INET6, host)) return std::nullopt;
    return host;
  }
  std::string host(rest.substr(0, rest.find(':')));
  rest.remove_prefix(host.size());
  const bool numeric = std::ranges::all_of(host, [](char c) { return IsDigit(c) || c == '.'; });
  if (numeric ? !IsLiteral(AF_INET, host) : !IsName(host)) return std::nullopt;
  return host;
}

}  // namespace

std::optional<HostPort> ParseAddress(std::string_view address, AddressSyntax syntax,
                                     bool allow_port_zero) {
  std::string_view rest = Trimmed(address);
  std::optional<std::string> host = TakeHost(rest, syntax);
  if (!host || rest.empty() || rest.front() != ':') return std::nullopt;
  const std::optional<std::uint16_t> port = ParsePort(rest.substr(1), allow_port_zero);
  if (!port) return std::nullopt;
  return HostPort{.host = std::move(*host), .port = *port};
}

std::string NormalizeAddress(std::string_view address) {
  std::string text(Trimmed(address));
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace drumbeat::transport
